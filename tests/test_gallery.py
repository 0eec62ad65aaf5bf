"""Measures every drawing of the gallery in Chromium: separate boxes, fitting text, free labels, enough contrast."""

import pytest
from gallery import PICTURES

pytestmark = pytest.mark.browser

MEASURE = """() => {
  const found = [], R = e => e.getBoundingClientRect(), svg = document.querySelector('svg');
  const overlap = (a, b, by) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > by
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > by;
  const channel = c => c <= 0.04045 ? c / 12.92 : Math.pow((c + 0.055) / 1.055, 2.4);
  const light = css => { const [r, g, b] = css.match(/[\\d.]+/g).map(x => channel(x / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const contrast = (x, y) => { const [a, b] = [light(x), light(y)].sort((p, q) => q - p);
    return (a + 0.05) / (b + 0.05); };
  const paper = getComputedStyle(svg.querySelector('.paper')).fill;
  const boxes = [...svg.querySelectorAll('.box')], box = n => [...n.querySelectorAll('.outline')].at(-1);
  const within = (t, r, what) => { const q = R(t);
    if (q.left < r.left - 0.5 || q.right > r.right + 0.5 || q.top < r.top - 2 || q.bottom > r.bottom + 2)
      found.push(`${what}: ${t.textContent.slice(0, 40)}`); };
  for (const n of boxes) for (const t of box(n) ? n.querySelectorAll('text') : [])
    within(t, R(box(n)), 'text leaves its box');
  const framed = [...boxes, ...svg.querySelectorAll('.weight')].filter(box);
  framed.forEach((n, i) => framed.slice(0, i).forEach(m => { if (overlap(R(box(n)), R(box(m)), 0.5))
    found.push(`boxes overlap: ${n.textContent.slice(0, 30)} | ${m.textContent.slice(0, 30)}`); }));
  const labels = [...svg.querySelectorAll('text.local')].filter(t => t.textContent);
  for (const t of labels) for (const n of framed) if (overlap(R(t), R(box(n)), 1))
    found.push(`label on a node: ${t.textContent} | ${n.textContent.slice(0, 30)}`);
  labels.forEach((t, i) => labels.slice(0, i).forEach(u => { if (overlap(R(t), R(u), 2))
    found.push(`label on a label: ${t.textContent} | ${u.textContent}`); }));
  for (const t of svg.querySelectorAll('text')) {
    if (!t.textContent) continue;
    within(t, R(svg), 'text leaves the picture');
    const n = t.closest('.box, .weight'), ground = n && box(n) ? getComputedStyle(box(n)).fill : paper;
    for (const part of [t, ...t.querySelectorAll('tspan')]) {
      const ratio = contrast(getComputedStyle(part).fill, ground);
      if (ratio < 4.5) found.push(`contrast ${ratio.toFixed(2)}: ${part.textContent.slice(0, 40)}`);
    }
  }
  return {boxes: boxes.length, texts: svg.querySelectorAll('text').length, found};
}"""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "250 nodes")) for name in PICTURES]
)
def test_a_drawing_is_readable_in_a_browser(window, name):
    page = window.page
    page.set_content(PICTURES[name]().svg)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        measured = page.evaluate(MEASURE)
        assert measured["texts"] > measured["boxes"] > 1
        assert (scheme, measured["found"]) == (scheme, [])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("svg.querySelector('.box text').textContent = 'much too long a text '.repeat(5)", "leaves its box"),
        ("boxes[1].setAttribute('transform', move(boxes[1], boxes[0]))", "boxes overlap"),
        ("label.setAttribute('transform', move(label, boxes[0]))", "label on a node"),
        ("svg.querySelector('.box text').style.fill = 'rgb(160,160,160)'", "contrast"),
        ("svg.setAttribute('viewBox', '0 0 40 40')", "leaves the picture"),
    ],
    ids=["long text", "moved box", "moved label", "pale text", "cut picture"],
)  # fmt: skip
def test_the_measurement_sees_what_is_wrong(window, spoil, words):
    page = window.page
    page.emulate_media(color_scheme="light")
    page.set_content(PICTURES["f = xyz, with the paths from s"]().svg)
    assert page.evaluate(MEASURE)["found"] == []
    page.evaluate(
        "() => { const svg = document.querySelector('svg'), boxes = [...svg.querySelectorAll('.box .outline')],"
        "label = [...svg.querySelectorAll('text.local')].find(t => t.textContent),"
        "move = (a, b) => { const p = a.getBoundingClientRect(), q = b.getBoundingClientRect();"
        "return `translate(${q.x - p.x} ${q.y - p.y})`; };"
        f"{spoil}; }}"
    )
    assert any(words in complaint for complaint in page.evaluate(MEASURE)["found"])
