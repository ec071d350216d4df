// What a machine can say about a page's accessibility; each complaint names the rule and the element. Answers a list.
() => {
  const complaints = [];
  const say = (rule, element) => complaints.push(`${rule}: ${element.outerHTML.slice(0, 140)}`);
  const seen = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && element.getClientRects().length > 0;
  const nameOf = (element) => (
    element.getAttribute("aria-label") || labelledBy(element) || [...(element.labels || [])].map((l) => l.textContent).join(" ")
    || element.textContent || element.getAttribute("alt") || element.getAttribute("title") || "").trim();
  const labelledBy = (element) => (element.getAttribute("aria-labelledby") || "").split(/\s+/).filter(Boolean)
    .map((id) => document.getElementById(id)?.textContent || "").join(" ");

  // names and structure (WCAG 1.1.1, 1.3.1, 2.4.2, 3.1.1, 4.1.2)
  if (!document.documentElement.lang) complaints.push("html without a language");
  if (!document.title.trim()) complaints.push("page without a title");
  if (document.querySelectorAll("h1").length !== 1) complaints.push("not exactly one h1");
  if (document.querySelectorAll("main").length !== 1) complaints.push("not exactly one main");
  for (const element of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, [role=region], [role=img], progress, meter, summary")) {
    if (seen(element) && !nameOf(element)) say("no name", element);
  }
  for (const image of document.querySelectorAll("img:not([alt])")) say("no alt", image);
  for (const cell of document.querySelectorAll("th:not([scope])")) say("th without scope", cell);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((id, place) => ids.indexOf(id) !== place))) complaints.push(`id twice: ${id}`);
  for (const element of document.querySelectorAll("[aria-labelledby]")) if (!labelledBy(element).trim()) say("labelled by nothing", element);
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const next = Number(heading.tagName[1]);
    if (level && next > level + 1) say("heading level skipped", heading);
    level = next;
  }
  for (const element of document.querySelectorAll("[tabindex]")) if (Number(element.tabIndex) > 0) say("tabindex above 0", element);
  for (const box of document.querySelectorAll("*")) {
    const style = getComputedStyle(box);
    if (/auto|scroll/.test(style.overflowX) && box.scrollWidth > box.clientWidth + 1 && seen(box)
        && box.tabIndex < 0 && !box.querySelector("a, button, input")) say("scrolls but takes no focus", box);
  }

  // targets of 24 px, but for links inside text (WCAG 2.5.8)
  for (const element of document.querySelectorAll("button, select, input:not([type=hidden]):not([type=checkbox]), summary, nav a")) {
    const box = element.getBoundingClientRect();
    if (seen(element) && (box.width < 24 || box.height < 24)) say(`target ${Math.round(box.width)}×${Math.round(box.height)}`, element);
  }

  // contrast of text (WCAG 1.4.3)
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, place) => sum + c * [0.2126, 0.7152, 0.0722][place], 0);
  const groundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return rgba("Canvas");
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const judged = new Set();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || judged.has(element) || !seen(element) || element.closest("svg, option, script, [aria-hidden=true]")) continue;
    judged.add(element);
    const style = getComputedStyle(element);
    const [a, b] = [light(rgba(style.color)), light(groundOf(element))].sort((x, y) => y - x);
    const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (isLarge ? 3 : 4.5)) say(`contrast ${ratio.toFixed(2)}`, element);
  }
  return complaints;
}
