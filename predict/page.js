// Sorts, filters and shows the pictures; only the cards that can be seen are in the document.
const element = (id) => document.getElementById(id);
const names = JSON.parse(element("names").textContent);
const rows = JSON.parse(element("rows").textContent).map(([image, kind, found], order) => {
  const failed = typeof found === "string";
  const answers = failed ? [] : found;
  const best = answers.length ? answers[0] : null;
  return {
    order, image, kind, answers, reason: failed ? found : "",
    label: failed ? "unreadable" : best ? String(best[0]) : "none",
    share: best ? 100 * best[1] : -1,
    text: [image, ...answers.map(([label]) => names[label])].join("\n").toLowerCase(),
  };
});

const [list, view] = [element("list"), element("window")];
const controls = element("controls");
const [search, chosen, least, most, order, count, reset] =
  ["search", "class", "least", "most", "order", "count", "reset"].map(element);
const words = new Intl.Collator(undefined, { numeric: true }).compare;
const last = (one, two) => (one.share < 0) - (two.share < 0);
const ORDERS = {
  given: () => 0,
  surest: (one, two) => two.share - one.share,
  unsurest: (one, two) => last(one, two) || one.share - two.share,
  class: (one, two) => ranks.get(one.label) - ranks.get(two.label) || two.share - one.share,
  name: (one, two) => words(one.image, two.image),
};
const OTHERS = { none: "no answer", unreadable: "could not be read" };
const title = (label) => OTHERS[label] ?? names[label];

const counts = new Map();
for (const row of rows) counts.set(row.label, (counts.get(row.label) ?? 0) + 1);
const labels = [...counts.keys()].sort(
  (one, two) => (one in OTHERS) - (two in OTHERS) || words(title(one), title(two)),
);
const ranks = new Map(labels.map((label, rank) => [label, rank]));
labels.sort((one, two) => (one in OTHERS) - (two in OTHERS) || counts.get(two) - counts.get(one));
chosen.append(new Option("every class", ""), ...labels.map(
  (label) => new Option(`${title(label)} (${counts.get(label).toLocaleString("en")})`, label),
));

let shown = rows;
const number = (input, otherwise) => (input.value === "" ? otherwise : Number(input.value));

function select() {
  const wanted = search.value.toLowerCase().trim();
  const [low, high] = [number(least, -Infinity), number(most, Infinity)];
  const bounded = low > 0 || high < 100;
  shown = rows.filter((row) =>
    (!chosen.value || row.label === chosen.value)
    && (!wanted || row.text.includes(wanted))
    && (!bounded || (row.share >= 0 && row.share >= low && row.share <= high)));
  shown.sort((one, two) => ORDERS[order.value](one, two) || one.order - two.order);
  const total = rows.length.toLocaleString("en");
  const all = shown.length === rows.length;
  count.textContent = all ? `${total} shown` : `${shown.length.toLocaleString("en")} of ${total} shown`;
  reset.hidden = all;
  cards.clear();
  view.replaceChildren();
  drawn = "";
  draw();
}

// The cards of what can be seen and two lines around it.
const cards = new Map();
let drawn = "";
function draw() {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const columns = Math.max(1, Math.floor((list.clientWidth + rem) / (23 * rem)));
  view.style.setProperty("--columns", columns);
  if (!view.firstChild && shown.length) view.append(card(shown[0], 0));
  const height = (view.firstChild?.offsetHeight ?? 0) + parseFloat(getComputedStyle(view).rowGap);
  const lines = Math.ceil(shown.length / columns);
  list.style.height = `${lines ? lines * height : 4 * rem}px`;
  const top = list.getBoundingClientRect().top;
  const first = Math.min(Math.max(Math.floor(-top / height) - 2, 0), Math.max(lines - 1, 0));
  const end = Math.min(Math.max(Math.ceil((innerHeight - top) / height) + 2, first + 1), lines);
  const range = [first * columns, Math.min(end * columns, shown.length)];
  view.style.transform = `translateY(${first * height}px)`;
  if (String(range) === drawn) return;
  drawn = String(range);
  const kept = new Set();
  const nodes = [];
  for (let place = range[0]; place < range[1]; place += 1) {
    if (!cards.has(place)) cards.set(place, card(shown[place], place));
    kept.add(place);
    nodes.push(cards.get(place));
  }
  for (const place of cards.keys()) if (!kept.has(place)) cards.delete(place);
  view.replaceChildren(...(nodes.length ? nodes : [made("p", "nothing", "No picture is like this.")]));
}

function made(tag, kind, text) {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  if (text !== undefined) node.textContent = text;
  return node;
}

function card(row, place) {
  const node = made("div", "shot");
  node.setAttribute("role", "listitem");
  node.setAttribute("aria-setsize", shown.length);
  node.setAttribute("aria-posinset", place + 1);
  const frame = made("figure");
  if (row.kind) frame.append(picture(row));
  else frame.textContent = "no picture";
  const file = made("p", "file");
  const cut = row.image.lastIndexOf("/") + 1;
  file.title = row.image;
  file.append(made("span", "", row.image.slice(0, cut)), made("b", "", row.image.slice(cut)));
  const side = made("div");
  side.append(file);
  if (row.reason) {
    const reason = made("p", "reason", row.reason);
    reason.title = row.reason;
    side.append(reason);
  } else if (!row.answers.length) side.append(made("p", "nothing", "no answer"));
  else side.append(answersOf(row));
  node.append(frame, side);
  return node;
}

function picture(row) {
  const image = new Image();
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = "";
  image.addEventListener("load", () => {
    if (Math.max(image.naturalWidth, image.naturalHeight) <= 64) image.classList.add("few");
  });
  const number = String(row.order).padStart(6, "0");
  image.src = `thumbnails/${number.slice(0, -3)}/${number.slice(-3)}.${row.kind}`;
  return image;
}

function answersOf(row) {
  const answers = made("ol");
  for (const [label, probability] of row.answers) {
    const answer = made("li");
    const share = 100 * probability;
    answer.style.setProperty("--share", share);
    answer.title = names[label];
    answer.append(made("span", "", names[label]), made("b", "", `${share.toFixed(1)} %`));
    answers.append(answer);
  }
  return answers;
}

controls.addEventListener("submit", (event) => event.preventDefault());
controls.addEventListener("input", select);
controls.addEventListener("reset", () => setTimeout(select));
// Browsers tell of scrolling once a frame at most.
addEventListener("scroll", draw, { passive: true });
addEventListener("resize", draw);
select();
