"use strict";

/* Tables: a button in each heading sorts by it; what is not known stays at the end. */
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const now = heading.getAttribute("aria-sort");
      const first = heading.classList.contains("number") ? "descending" : "ascending";
      const turned = now === "ascending" ? "descending" : "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", now ? turned : first);
      sort(table.tBodies[0], column, heading);
    });
  });
}

function sort(body, column, heading) {
  const numbers = heading.classList.contains("number");
  const way = heading.getAttribute("aria-sort") === "ascending" ? 1 : -1;
  const rows = [...body.rows].map((row) => {
    const by = row.cells[column].dataset.by;
    return { row, by: numbers && by !== "" ? Number(by) : by };
  });
  rows.sort((one, other) => {
    if (one.by === "" || other.by === "") return (one.by === "") - (other.by === "");
    const order = numbers ? one.by - other.by : one.by.localeCompare(other.by, "en", { numeric: true });
    return way * order;
  });
  body.append(...rows.map(({ row }) => row));
}

/* Battles: the ones that are found, some at a time. Texts only ever become text. */
const data = document.getElementById("data");
if (data) browse(JSON.parse(data.textContent));

function browse(battles) {
  const at = (id) => document.getElementById(id);
  const [form, list, told, next, blank] = ["find", "battles-list", "told", "next", "blank"].map(at);
  const STEP = Number(list.dataset.step);
  const CONTEXT = 60;
  const chosen = (name) => (form.elements[name] ? form.elements[name].value : "");
  let found = battles;
  let shown = 0;
  let query = "";

  form.hidden = false;
  at("scriptless").hidden = true;
  for (const battle of battles) {
    const texts = [...battle.turns.map((turn) => turn[1]), ...battle.answers.map((answer) => answer.text)];
    battle.texts = texts;
    battle.folded = folded(texts.join("\n"));
  }

  function folded(text) {
    return text.normalize("NFKC").toLowerCase();
  }

  function fits(battle, words) {
    const [topic, language, contender, ahead] = ["topic", "language", "contender", "ahead"].map(chosen);
    return (
      (!topic || battle.topic === topic) &&
      (!language || battle.language === language) &&
      (!contender || battle.answers.some((answer) => answer.contender === contender)) &&
      (!ahead || battle.outcome === ahead) &&
      words.every((word) => battle.folded.includes(word))
    );
  }

  function element(battle) {
    const made = blank.content.firstElementChild.cloneNode(true);
    const part = (name, text) => {
      const place = made.querySelector(`.${name}`);
      place.textContent = text;
      return place;
    };
    made.id = `b-${battle.id}`;
    part("asked", battle.asked);
    part("about", battle.about);
    if (query) {
      const snippet = snippetOf(battle);
      if (snippet) part("snippet", snippet).hidden = false;
    }
    const turns = made.querySelector(".turns");
    const turn = turns.firstElementChild;
    turns.replaceChildren(
      ...battle.turns.map(([name, text]) => {
        const one = turn.cloneNode(true);
        one.querySelector("b").textContent = name;
        one.querySelector(".text").textContent = text;
        return one;
      }),
    );
    [...made.querySelectorAll(".answer")].forEach((place, index) => {
      const answer = battle.answers[index];
      place.classList.add(answer.kind);
      const who = place.querySelector("b");
      who.textContent = answer.contender;
      who.classList.add(answer.kind);
      place.querySelector(".votes").textContent = answer.votes;
      place.querySelector(".votes").classList.toggle("won", battle.outcome === `a:${answer.contender}`);
      place.querySelector(".text").textContent = answer.text;
    });
    return made;
  }

  function snippetOf(battle) {
    const word = query.split(" ")[0];
    if (folded(battle.asked).includes(word)) return "";
    for (const text of battle.texts) {
      const from = text.toLowerCase().indexOf(word);
      if (from < 0) continue;
      const start = Math.max(0, from - CONTEXT);
      const end = Math.min(text.length, from + word.length + CONTEXT);
      const cut = text.slice(start, end).replace(/\s+/g, " ");
      return `${start ? "…" : ""}${cut}${end < text.length ? "…" : ""}`;
    }
    return "";
  }

  function more(focus) {
    const part = found.slice(shown, shown + STEP).map(element);
    list.append(...part);
    shown += part.length;
    next.hidden = shown >= found.length;
    next.textContent = `Show ${Math.min(STEP, found.length - shown)} more`;
    if (focus && part[0]) part[0].querySelector("summary").focus();
    mark();
  }

  function search() {
    query = folded(chosen("words")).trim().replace(/\s+/g, " ");
    const words = query.split(" ").filter(Boolean);
    found = battles.filter((battle) => fits(battle, words));
    shown = 0;
    list.replaceChildren();
    const many = found.length.toLocaleString("en");
    told.textContent = found.length
      ? `${many} ${found.length === 1 ? "battle" : "battles"}, newest first`
      : "No battle is like that. Try fewer words, or another filter.";
    more(false);
  }

  /* Marks what was searched for, without touching the texts, where the browser can. */
  function mark() {
    if (!globalThis.CSS || !CSS.highlights) return;
    CSS.highlights.delete("found");
    const words = query.split(" ").filter((word) => word.length > 1);
    if (!words.length) return;
    const ranges = [];
    const walker = document.createTreeWalker(list, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode.data.toLowerCase();
      for (const word of words) {
        for (let from = text.indexOf(word); from >= 0; from = text.indexOf(word, from + word.length)) {
          if (from + word.length > walker.currentNode.length) break;
          const range = new Range();
          range.setStart(walker.currentNode, from);
          range.setEnd(walker.currentNode, from + word.length);
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  }

  /* A link to a battle that is not listed lists it. */
  function follow() {
    const id = location.hash.slice(3);
    if (!location.hash.startsWith("#b-")) return;
    const battle = battles.find((one) => one.id === id);
    if (battle && !at(`b-${id}`)) list.prepend(element(battle));
    const place = at(`b-${id}`);
    if (!place) return;
    place.open = true;
    place.scrollIntoView();
    place.querySelector("summary").focus();
  }

  let waiting;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 120);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  form.addEventListener("reset", () => setTimeout(search));
  next.addEventListener("click", () => more(true));
  addEventListener("hashchange", follow);
  search();
  follow();
}
