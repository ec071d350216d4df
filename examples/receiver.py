"""A receiver of Handoff's webhooks: `WEBHOOK_SECRET=whsec_… python3 examples/receiver.py` listens on port 9000."""
# ruff: noqa: E401, I001, INP001, PLR2004, T201  (an example fits on a screen)

import base64, hashlib, hmac, http.server, json, os, time

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body, stamp = self.rfile.read(int(self.headers["content-length"])), self.headers["webhook-timestamp"]
        signed = f"{self.headers['webhook-id']}.{stamp}.".encode() + body
        wanted = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        fits = any(hmac.compare_digest(wanted, one) for one in self.headers["webhook-signature"].split())
        genuine = fits and abs(time.time() - int(stamp)) < 300
        print("genuine" if genuine else "FORGED", json.loads(body)["event_type"], flush=True)
        self.send_response(204 if genuine else 401)
        self.end_headers()


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9000"))), Receiver).serve_forever()
