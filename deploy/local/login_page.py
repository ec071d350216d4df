"""The page on which one chooses who to be."""

from urllib.parse import urlencode

from shared.http import Role

WHO = {
    Role.CARE_MANAGER: ("Care manager", "Board of transitions, tasks and plans"),
    Role.OPS: ("Operations", "Feeds, pipeline, parked patients, deliveries"),
    Role.AUDITOR: ("Auditor", "Who did and read what"),
    Role.PROVIDER: ("Provider's system", "Own endpoints and notices"),
    Role.INTEGRATION: ("Integration team", "Messages and feeds"),
    Role.ADMIN: ("Administrator", "Everything"),
}

STYLE = """
:root { color-scheme: light dark; --ground: #f4f6f8; --card: #fff; --text: #16202a; --soft: #5b6875; --mark: #0b6e6e; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #10161c; --card: #19222b; --text: #e8edf2; --soft: #9aa8b5; --mark: #4fc3c3; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--ground);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { width: min(32rem, calc(100vw - 2rem)); padding: 2rem 0; }
h1 { margin: 0; font-size: 1.6rem; }
p { margin: .3rem 0 1.5rem; color: var(--soft); }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: .6rem; }
a { display: block; padding: .8rem 1rem; border-radius: .6rem; background: var(--card); color: inherit;
  text-decoration: none; border: 1px solid transparent; box-shadow: 0 1px 2px rgb(0 0 0 / .12); }
a:hover, a:focus-visible { border-color: var(--mark); outline: 2px solid var(--mark); outline-offset: 1px; }
strong { display: block; color: var(--mark); }
span { color: var(--soft); font-size: .9rem; }
"""


def login_page(state: str | None) -> str:
    """HTML with one link per role; `state` is handed through to the console."""
    entries = "\n".join(
        f'<li><a href="/login?{urlencode({"role": role} | ({"state": state} if state else {}))}">'.replace("&", "&amp;")
        + f"<strong>{title}</strong><span>{what}</span></a></li>"
        for role, (title, what) in WHO.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in to Handoff</title>
<link rel="stylesheet" href="/login.css">
</head>
<body>
<main>
<h1>Handoff</h1>
<p>This is a demonstration on your own machine: choose who to be.</p>
<ul>
{entries}
</ul>
</main>
</body>
</html>"""
