// The browser of examples: a list of fixed row height that draws what is in
// view, filters, the answers of one example side by side, and review marks.
// All text comes from data sets and models: it is only ever set as text.
"use strict";

const ROW_HEIGHT = 52;
const MOST_DIFF_WORDS = 400;
const STORE = "distill-review:" + location.pathname;
const byId = (id) => document.getElementById(id);

const isWrong = (answer) => answer.agrees === 0;
const teacherRight = (row) => row.teachers.some((a) => a.agrees === 1);
const marked = (name) => (row) =>
  row.teachers.some((answer) => answer.marks.includes(name));
const labels = (row) => new Set(row.students.map((s) => s.label.trim()));

const FILTERS = {
  "teacher wrong": (row) => row.teachers.some(isWrong),
  "student wrong": (row) => row.students.some((s) => s.right === 0),
  "student wrong, teacher right": (row) =>
    row.students.some((s) => s.right === 0) && teacherRight(row),
  "methods disagree": (row) => labels(row).size > 1,
  truncated: marked("truncated"),
  unread: (row) => row.teachers.some((answer) => !answer.label),
  short: marked("short"),
  duplicate: marked("duplicate"),
  leak: marked("leak"),
  unsupported: marked("unsupported"),
  "marked good": (row) => row.teachers.some((a) => markOf(row, a) === "good"),
  "marked bad": (row) => row.teachers.some((a) => markOf(row, a) === "bad"),
  "not marked": (row) => row.teachers.some((a) => !markOf(row, a)),
};

const state = {
  rows: [],
  shown: [],
  current: -1,
  active: new Set(),
  marks: readMarks(),
};

// Marks by the key of an answer; the page works without a store, too.
function readMarks() {
  try {
    return JSON.parse(localStorage.getItem(STORE) || "{}");
  } catch {
    return {};
  }
}

function saveMarks() {
  try {
    localStorage.setItem(STORE, JSON.stringify(state.marks));
  } catch {
    byId("marked").textContent = "This browser does not keep marks: export them.";
  }
}

const exampleKey = (row) => [row.task, row.split, row.id].join("/");
const answerKey = (row, answer) =>
  [exampleKey(row), answer.teacher, answer.place].join("\n");

function markOf(row, answer) {
  return (state.marks[answerKey(row, answer)] || {}).mark || "";
}

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Characters that are not seen, or that reorder others, are shown as codes.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

function visible(text) {
  const made = document.createDocumentFragment();
  let plain = "";
  for (const char of text) {
    if (!UNSEEN.test(char)) {
      plain += char;
      continue;
    }
    const code = char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    made.append(plain, element("span", { class: "unseen" }, `U+${code}`));
    plain = "";
  }
  made.append(plain);
  return made;
}

// The longest common subsequence of words: true for those that differ.
function differing(words, base) {
  const n = words.length;
  const m = base.length;
  if (n > MOST_DIFF_WORDS || m > MOST_DIFF_WORDS) return words.map(() => false);
  const best = Array.from({ length: n + 1 }, () => new Uint16Array(m + 1));
  for (let i = n - 1; i >= 0; i--)
    for (let j = m - 1; j >= 0; j--)
      best[i][j] =
        words[i] === base[j]
          ? best[i + 1][j + 1] + 1
          : Math.max(best[i + 1][j], best[i][j + 1]);
  const differs = [];
  for (let i = 0, j = 0; i < n; i++) {
    while (j < m && words[i] !== base[j] && best[i + 1][j] < best[i][j + 1]) j++;
    const same = j < m && words[i] === base[j];
    differs.push(!same);
    if (same) j++;
  }
  return differs;
}

function text(value, base) {
  const made = element("div", { class: "text", dir: "auto" });
  if (base === undefined || base === value) {
    made.append(visible(value));
    return made;
  }
  const parts = value.split(/(\s+)/);
  const words = parts.filter((_, i) => i % 2 === 0);
  const differs = differing(words, base.split(/\s+/));
  parts.forEach((part, i) => {
    const node = visible(part);
    made.append(
      i % 2 === 0 && part && differs[i / 2] ? element("mark", {}, node) : node,
    );
  });
  return made;
}

// Called by the files beside the page, too.
function addRows(rows) {
  for (const row of rows) {
    row.words = [
      ...[row.id, row.input, row.gold],
      ...row.teachers.flatMap((a) => [a.label, a.rationale]),
      ...row.students.flatMap((s) => [s.label, s.rationale]),
    ]
      .join("\n")
      .toLowerCase();
    state.rows.push(row);
  }
}

function choose(select, names) {
  select.replaceChildren(
    element("option", { value: "" }, "all"),
    ...names.map((name) => element("option", { value: name }, name)),
  );
}

function loadRest(files) {
  if (!files.length) {
    setUp();
    return;
  }
  const script = element("script", { src: files[0] });
  script.onload = () => {
    if (files.length % 8 === 1) apply(true);
    loadRest(files.slice(1));
  };
  script.onerror = () => {
    byId("count").textContent =
      `${files[0]} is missing: it belongs beside this page.`;
  };
  document.head.append(script);
}

function setUp() {
  const { split, teacher } = { split: byId("split"), teacher: byId("teacher") };
  const kept = [split.value, teacher.value];
  const named = (of) => [...new Set(state.rows.flatMap(of))].sort();
  choose(split, named((row) => [`${row.task}, ${row.split}`]));
  choose(teacher, named((row) => row.teachers.map((a) => a.teacher)));
  [split.value, teacher.value] = kept.map((value) => value || "");
  byId("filters").replaceChildren(
    ...Object.entries(FILTERS).map(([name, passes]) => {
      const count = state.rows.filter(passes).length;
      const button = element(
        "button",
        { type: "button", "aria-pressed": state.active.has(name) },
        `${name} `,
        element("span", {}, count.toLocaleString("en")),
      );
      button.onclick = () => {
        state.active.has(name)
          ? state.active.delete(name)
          : state.active.add(name);
        button.setAttribute("aria-pressed", state.active.has(name));
        apply();
      };
      button.hidden = !count && !name.includes("mark");
      return button;
    }),
  );
  apply(true);
  showMarks();
}

// Shows what passes; `keep` leaves the current example where it is.
function apply(keep) {
  const query = byId("search").value.trim().toLowerCase();
  const split = byId("split").value;
  const teacher = byId("teacher").value;
  const filters = [...state.active].map((name) => FILTERS[name]);
  const before = state.shown[state.current];
  state.shown = state.rows.filter(
    (row) =>
      (!split || `${row.task}, ${row.split}` === split) &&
      (!teacher || row.teachers.some((a) => a.teacher === teacher)) &&
      filters.every((passes) => passes(row)) &&
      (!query || row.words.includes(query)),
  );
  const total = DATA.total.toLocaleString("en");
  const loaded = state.rows.length;
  byId("count").textContent =
    `${state.shown.length.toLocaleString("en")} of ${total} examples` +
    (loaded < DATA.total ? ` (${loaded.toLocaleString("en")} loaded)` : "");
  byId("rows").style.height = `${state.shown.length * ROW_HEIGHT}px`;
  const linked = decodeURIComponent(location.hash).match(/^#example=(.*)$/s);
  const there = state.shown.findIndex((row) =>
    keep && before ? row === before : linked && exampleKey(row) === linked[1],
  );
  if (!keep) byId("list").scrollTop = 0;
  select(there >= 0 ? there : state.shown.length ? 0 : -1, there >= 0 && !before);
}

function drawList() {
  const list = byId("list");
  const first = Math.max(0, Math.floor(list.scrollTop / ROW_HEIGHT) - 4);
  const last = Math.min(
    state.shown.length,
    first + Math.ceil(list.clientHeight / ROW_HEIGHT) + 8,
  );
  const drawn = [];
  for (let place = first; place < last; place++) {
    const row = state.shown[place];
    const marks = row.teachers.map((a) => markOf(row, a)).filter(Boolean);
    drawn.push(
      element(
        "div",
        {
          class: "row",
          role: "option",
          id: `row-${place}`,
          "aria-selected": place === state.current,
          "aria-posinset": place + 1,
          "aria-setsize": state.shown.length,
          style: `top:${place * ROW_HEIGHT}px`,
          onclick: () => select(place),
        },
        element("div", {}, visible(row.input.slice(0, 200))),
        element("div", { class: "under" }, visible(summary(row, marks))),
      ),
    );
  }
  byId("rows").replaceChildren(...drawn);
  list.setAttribute("aria-activedescendant", `row-${state.current}`);
}

function summary(row, marks) {
  const right = row.students.filter((s) => s.right === 1).length;
  const judged = row.students.filter((s) => s.right !== null).length;
  return [
    row.gold || "no label",
    row.teachers.some(isWrong) ? "teacher wrong" : "",
    judged ? `${right} of ${judged} students right` : "",
    marks.join(", "),
  ]
    .filter(Boolean)
    .join(" · ");
}

function select(place, center) {
  state.current = place;
  const list = byId("list");
  const top = place * ROW_HEIGHT;
  if (center) list.scrollTop = top - list.clientHeight / 2;
  else if (top < list.scrollTop) list.scrollTop = top;
  else if (top + ROW_HEIGHT > list.scrollTop + list.clientHeight)
    list.scrollTop = top + ROW_HEIGHT - list.clientHeight;
  drawList();
  drawDetail();
}

// Whether the teacher's answers are wanted.
function isShown(answer) {
  const wanted = byId("teacher").value;
  return !wanted || answer.teacher === wanted;
}

function drawDetail() {
  const detail = byId("detail");
  const row = state.shown[state.current];
  if (!row) {
    detail.replaceChildren(element("p", {}, "No example passes the filters."));
    return;
  }
  const link = `#example=${encodeURIComponent(exampleKey(row))}`;
  detail.replaceChildren(
    element(
      "h3",
      {},
      visible(`${row.task}, ${row.split}, ${row.id} `),
      element("a", { href: link }, "link"),
    ),
    element("div", { class: "input" }, text(row.input)),
    element("p", {}, "Gold label: ", element("b", {}, visible(row.gold || "none"))),
    element(
      "div",
      { class: "answer-grid" },
      ...row.teachers
        .map((answer, i) => [answer, i])
        .filter(([answer]) => isShown(answer))
        .map(([answer, i]) => teacherCard(row, answer, i)),
      ...row.students.map((one, i) => studentCard(one, row.students[0], i)),
    ),
  );
  detail.scrollTop = 0;
}

function teacherCard(row, answer, place) {
  const key = answerKey(row, answer);
  const kept = state.marks[key] || {};
  const button = (mark) =>
    element(
      "button",
      {
        type: "button",
        class: mark,
        "aria-pressed": kept.mark === mark,
        onclick: () => setMark(row, place, kept.mark === mark ? "" : mark),
      },
      mark,
    );
  const note = element("input", {
    value: kept.note || "",
    placeholder: "note",
    "aria-label": "note",
    onchange: (event) => {
      state.marks[key] = { ...kept, ...state.marks[key], note: event.target.value };
      saveMarks();
      showMarks();
    },
  });
  const verdict = { 1: "agrees", 0: "does not agree", "-1": "no gold label" };
  const tags = [verdict[answer.agrees], ...answer.marks];
  if (answer.finish && answer.finish !== "stop") tags.push(answer.finish);
  return element(
    "section",
    { class: `answer ${["wrong", "right"][answer.agrees] || ""}` },
    element("h4", {}, visible(`teacher ${answer.teacher}`)),
    text(answer.rationale || "(no rationale)"),
    element("p", {}, "label: ", element("b", {}, visible(answer.label || "unread"))),
    ...tags.map((tag) => element("span", { class: "tag" }, tag)),
    element("div", { class: "marking" }, button("good"), button("bad"), note),
  );
}

function studentCard(one, base, place) {
  const side = one.right === null ? "" : one.right ? "right" : "wrong";
  const seeds = one.seeds ? `, ${one.seeds} seeds right` : "";
  const compared = place ? base : {};
  const card = element(
    "section",
    { class: `answer ${side}` },
    element("h4", {}, visible(`student ${one.student}${seeds}`)),
  );
  if (one.rationale) card.append(text(one.rationale, compared.rationale));
  const said = element("p", {}, "label: ");
  const label = text(one.label || "(nothing)", compared.label);
  label.style.display = "inline";
  said.append(label, side ? element("span", { class: "tag beside" }, side) : "");
  card.append(said);
  return card;
}

function setMark(row, place, mark) {
  const answer = row.teachers[place];
  if (!answer) return;
  const key = answerKey(row, answer);
  state.marks[key] = { ...state.marks[key], mark };
  if (!mark && !state.marks[key].note) delete state.marks[key];
  saveMarks();
  drawList();
  drawDetail();
  showMarks();
}

// Which answers are marked, and how the automatic measures judge the same.
function reviewed() {
  const found = [];
  for (const row of state.rows)
    for (const answer of row.teachers) {
      const kept = state.marks[answerKey(row, answer)];
      if (kept) found.push({ row, answer, ...kept });
    }
  return found;
}

function showMarks() {
  const all = reviewed();
  const say = (mark) => {
    const some = all.filter((one) => one.mark === mark);
    const agreeing = some.filter((one) => one.answer.agrees === 1).length;
    const flagged = some.filter((one) => one.answer.marks.length).length;
    return some.length
      ? `${some.length} ${mark} (${agreeing} give the gold label, ${flagged} have` +
          " a flag of the automatic measures)"
      : `0 ${mark}`;
  };
  const notes = all.filter((one) => one.note).length;
  byId("marked").textContent = `Marked: ${say("good")}; ${say("bad")}; ${notes} notes.`;
}

function exportMarks() {
  const lines = reviewed().map(({ row, answer, mark, note }) =>
    JSON.stringify({
      task: row.task,
      split: row.split,
      id: row.id,
      place: answer.place,
      teacher: answer.teacher,
      mark: mark || "",
      note: note || "",
    }),
  );
  const file = new Blob([lines.map((line) => line + "\n").join("")], {
    type: "application/jsonl",
  });
  const link = element("a", {
    href: URL.createObjectURL(file),
    download: "review.jsonl",
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const row = state.shown[state.current];
  const inList = event.target.id === "list";
  const move = { j: 1, k: -1, ...(inList && { ArrowDown: 1, ArrowUp: -1 }) };
  const mark = { g: "good", b: "bad", u: "" };
  if (event.key in move) {
    const next = state.current + move[event.key];
    if (next >= 0 && next < state.shown.length) select(next);
  } else if (event.key in mark && row) {
    setMark(row, row.teachers.findIndex(isShown), mark[event.key]);
  } else if (event.key === "n") {
    const note = document.querySelector(".marking input");
    if (note) note.focus();
  } else if (event.key === "/") {
    byId("search").focus();
  } else {
    return;
  }
  event.preventDefault();
}

function start() {
  addRows(DATA.rows);
  setUp();
  byId("list").addEventListener("scroll", drawList);
  byId("search").addEventListener("input", () => apply());
  byId("split").addEventListener("change", () => apply());
  byId("teacher").addEventListener("change", () => apply());
  byId("export").addEventListener("click", exportMarks);
  addEventListener("hashchange", () => {
    state.current = -1;
    apply();
  });
  addEventListener("resize", drawList);
  document.addEventListener("keydown", onKey);
  if (DATA.files.length) loadRest(DATA.files);
}

if (byId("list")) start();
