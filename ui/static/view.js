// The page's own part: model text as Markdown that grows, a run as a card, the comparison, keys, copying and saving.
// A text is data: it reaches the document as text nodes, or through marked without HTML, DOMPurify and KaTeX.
"use strict";
window.z1 = (() => {
  const make = (tag, className = "", text = "") => Object.assign(document.createElement(tag), { className, textContent: text });
  const put = (element, text) => element.textContent !== text && (element.textContent = text);
  const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

  // Markdown. A single $ is a price. What stands in < > is text. A * between letters, digits or brackets multiplies. A box
  // without words in it is a formula wherever it stands.
  const BLOCK = /^ {0,3}(?:\$\$((?:\\[^]|[^\\$]){1,4000}?)\$\$|\\\[((?:(?!\\\])[^]){1,4000}?)\\\])[ \t]*(?:\n+|$)/;
  const INLINE = /^(?:\$\$((?:\\[^]|[^\\$]){1,4000}?)\$\$|\\\[((?:(?!\\\]|\n\n)[^]){1,4000}?)\\\]|\\\(((?:(?!\\\)|\n\n)[^]){1,4000}?)\\\)|(\\boxed\{(?:[^{}\n\\A-Za-z]|[A-Za-z](?![A-Za-z])|\\[A-Za-z]+(?![A-Za-z])|\{[^{}\n]*\}){1,200}\}))/;
  const formula = (name, level, start, rule) => ({
    name, level,
    start: (source) => { const at = source.search(start); return at < 0 ? undefined : at; },
    tokenizer(source) {
      const [raw, dollars, square, round, box] = rule.exec(source) ?? [];
      return raw && { type: name, raw, text: dollars ?? square ?? round ?? box, display: (round ?? box) === undefined };
    },
    renderer: ({ text, display }) => `<span data-formula="${escape(text)}"${display ? ' data-display="1"' : ""}></span>`,
  });
  const usual = marked.Tokenizer.prototype;
  const markdown = new marked.Marked({ gfm: true, breaks: true });
  markdown.use({
    extensions: [formula("formulas", "block", /^ {0,3}(?:\$\$|\\\[)/m, BLOCK), formula("formula", "inline", /\$\$|\\[([]|\\boxed\{/, INLINE)],
    tokenizer: {
      html: () => undefined,
      tag: () => undefined,
      def: () => undefined,
      del(source, ...rest) { return source.startsWith("~~") ? usual.del.call(this, source, ...rest) : undefined; },
      emStrong(source, masked, before = "") {
        if (source[0] !== "*") return usual.emStrong.call(this, source, masked, before);
        const [stars] = /^\*+/.exec(source), edges = stars.length === 1 ? [/[A-Za-z0-9)\]]/, /[A-Za-z0-9([]/] : [/[A-Za-z0-9]/, /[A-Za-z0-9]/];
        const token = edges[0].test(before) ? undefined : usual.emStrong.call(this, source, masked, before);
        const multiplies = token ? edges[1].test(source[token.raw.length] ?? "") : edges[0].test(before);
        return multiplies ? { type: "text", raw: stars, text: stars, escaped: false } : token;
      },
    },
    renderer: {
      image: ({ raw }) => escape(raw),
      checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
      link({ href, raw, tokens }) {
        if (!/^(https?:\/\/|mailto:)/i.test(href)) return escape(raw);
        return `<a href="${escape(href)}" target="_blank" rel="noopener noreferrer">${this.parser.parseInline(tokens)}</a>`;
      },
    },
  });
  const ALLOWED = {
    ALLOWED_TAGS: "p br strong em del code pre a ul ol li blockquote h1 h2 h3 h4 h5 h6 hr table thead tbody tr th td span".split(" "),
    ALLOWED_ATTR: ["href", "target", "rel", "align", "start"],
    RETURN_DOM_FRAGMENT: true,
  };
  const MATH = { throwOnError: false, trust: false, strict: "ignore", maxSize: 20, maxExpand: 200, errorColor: "currentColor" };
  const drawn = (blocks) => {
    const fragment = DOMPurify.sanitize(markdown.parser(blocks), ALLOWED);
    for (const place of fragment.querySelectorAll("[data-formula]")) {
      const { formula: source, display } = place.dataset;
      try { katex.render(source, place, { ...MATH, displayMode: Boolean(display) }); } catch { place.textContent = source; }
    }
    for (const code of fragment.querySelectorAll("pre")) {
      const button = code.appendChild(make("button", "z1-copy-code", "Copy"));
      button.type = "button";
    }
    for (const table of fragment.querySelectorAll("table")) {
      const frame = make("div", "table-wrap");
      table.replaceWith(frame);
      frame.append(table);
    }
    return fragment;
  };

  // A text that grows. Blocks that are finished are drawn once; the last one, which may still change, at every update.
  class Text {
    constructor(element) {
      this.element = element;
      element.classList.add("md");
      this.empty();
    }
    empty() {
      this.shown = "";
      this.done = 0;
      this.element.replaceChildren(this.last = make("div"));
    }
    show(given) {
      const text = given.replace(/\r\n?/g, "\n");
      if (text === this.shown) return;
      if (!text.startsWith(this.shown)) this.empty();
      this.shown = text;
      const blocks = markdown.lexer(text.slice(this.done));
      const grows = Math.max(blocks.findLastIndex((block) => block.type !== "space"), 0);
      const finished = blocks.slice(0, grows);
      if (finished.length) this.last.before(drawn(finished));
      this.done += finished.reduce((length, block) => length + block.raw.length, 0);
      this.last.replaceChildren(drawn(blocks.slice(grows)));
    }
  }

  // One run: question, meter, trace, cut, answer, how it ended, and what can be done with it.
  const CARD = `<div class="z1-question"></div><div class="z1-turn"><div class="z1-meter"><div class="z1-head"><b></b><span></span></div>
    <div class="z1-bar" role="img"><i class="z1-thinking"></i><i class="z1-hint"></i><i class="z1-answer"></i><u title="the window ends here"></u></div>
    <div class="z1-key"></div></div>
    <details class="z1-trace"><summary>Trace: what the model wrote in the window</summary><div class="z1-trace-text"><div></div></div></details>
    <div class="z1-cut"><span></span></div><div class="z1-inserted"><em>Inserted</em><span></span></div>
    <div class="z1-answer-text"><div></div></div><div class="z1-foot"><span></span><span></span></div><div class="z1-error" role="alert"></div>
    <div class="z1-actions"><button type="button" class="z1-copy">Copy answer</button><button type="button" class="z1-again">Run again</button>
    <button type="button" class="z1-edit">Edit question</button><button type="button" class="z1-json">Export JSON</button></div></div>`;
  class Card {
    constructor() {
      this.element = make("div", "z1-turn-outer");
      this.element.innerHTML = CARD;
      const find = (selector) => this.element.querySelector(selector);
      this.find = find;
      this.trace = new Text(find(".z1-trace-text > div"));
      this.answer = new Text(find(".z1-answer-text > div"));
      this.fold(false);
    }
    fold(folded) { this.find(".z1-trace").open = !folded; }
    show(run, isLast) {
      if (this.run?.end && this.id === run.id && this.isLast === isLast) return;  // it has ended, and is drawn
      this.isLast = isLast;
      const { find } = this, shown = (selector, is) => { find(selector).hidden = !is; };
      if (this.id !== run.id) this.fold(false);
      this.id = run.id;
      this.run = run;
      put(find(".z1-question"), run.question);
      put(find(".z1-head b"), run.head);
      put(find(".z1-head span"), run.numbers);
      find(".z1-meter").classList.toggle("z1-busy", !run.end);
      const bar = find(".z1-bar");
      run.bar.forEach((percent, n) => { bar.children[n].style[n < 3 ? "width" : "left"] = `${percent}%`; });
      bar.setAttribute("aria-label", run.used);
      find(".z1-key").replaceChildren(...run.key.map(([kind, words]) => {
        const part = make("span", kind === "waits" ? "z1-waits" : "");
        if (kind && kind !== "waits") part.append(make("s", `z1-${kind}`));
        part.append(words);
        return part;
      }));
      this.trace.show(run.trace);
      this.answer.show(run.answer);
      put(find(".z1-cut span"), run.cut);
      put(find(".z1-inserted span"), run.inserted);
      put(find(".z1-error"), run.error);
      run.foot.forEach((words, n) => put(find(".z1-foot").children[n], words));
      if (run.end) find(".z1-foot").dataset.end = run.end; else delete find(".z1-foot").dataset.end;
      find(".z1-turn").classList.toggle("z1-is-inside", run.end === "inside");
      shown(".z1-trace-text", run.trace);
      shown(".z1-cut", run.cut);
      shown(".z1-inserted", run.cut);
      shown(".z1-answer-text", run.answer);
      shown(".z1-foot", run.end && !run.error);
      shown(".z1-error", run.error);
      shown(".z1-actions", run.end);
      for (const name of ["again", "edit"]) {
        shown(`.z1-${name}`, isLast);
        find(`.z1-${name}`).id = isLast ? name : "";
      }
    }
  }

  // A list of cards or the like, one for each value, made and removed as needed.
  const keep = (parent, made, values, create, show) => {
    while (made.length > values.length) made.pop().element.remove();
    while (made.length < values.length) {
      made.push(create());
      parent.append(made.at(-1).element);
    }
    values.forEach((value, n) => show(made[n], value, n));
  };

  const complain = (place, words) => {
    if (place.textContent === words) return;
    const told = make("div", "z1-error", words);
    told.setAttribute("role", "alert");
    place.replaceChildren(...(words ? [told] : []));
  };

  // The Think tab. value: what ui/views.py says; n: later values have a larger one.
  const think = (element, props, trigger, watch) => {
    const find = (selector) => element.querySelector(selector);
    const box = find("#question textarea"), cards = [];
    let shown = { n: -1, begun: 0, saved: 0 }, editing = false, refused = "";
    const edit = (on, text) => {
      editing = on;
      find(".z1-editing-row").hidden = !on;
      box.value = text;
    };
    const show = (value) => {
      if (!value || value.n <= shown.n) return;
      const began = value.begun !== shown.begun;
      if (began && value.turns.at(-1).question === box.value) edit(false, "");  // not what was typed since
      keep(find(".z1-turns"), cards, value.turns, () => new Card(), (card, run, n) => card.show(run, n === value.turns.length - 1));
      if (began) cards.slice(0, -1).forEach((card) => card.fold(Boolean(card.run.cut)));
      for (const grid of element.querySelectorAll("[data-for]")) grid.hidden = grid.dataset.for !== value.model.examples;
      find(".z1-empty").hidden = cards.length > 0;
      element.classList.toggle("z1-talks", cards.length > 0);
      if (!value.running) refused = "";
      complain(find("#message"), value.complaint || refused);
      put(find("[role=status]"), value.status);
      find("#run").disabled = value.running || !value.model.ready;
      put(find("#run"), value.running ? "Running" : value.model.words);
      find("#answer-now").disabled = !value.thinks;
      find("#stop").disabled = !value.running;
      if (value.saved !== shown.saved) save(value.file);
      shown = value;
    };
    const copied = async (button, text) => {
      put(button, await copy(text));
      setTimeout(() => put(button, button.classList.contains("z1-copy") ? "Copy answer" : "Copy"), 1500);
    };
    const actions = {
      run: () => {
        if (!shown.running) return trigger("run", { question: box.value, editing, again: false, settings: chosen() });
        complain(find("#message"), refused = "A run is still going on; stop it first (Esc).");
      },
      again: () => { trigger("run", { question: "", editing: false, again: true, settings: chosen() }); find("#stop").focus(); },
      stop: () => trigger("stop"),
      "answer-now": () => trigger("answer_now"),
      clear: () => { edit(false, ""); trigger("clear"); },
      import: () => find("input[type=file]").click(),
      keep: () => edit(false, ""),
      edit: (card) => { edit(true, card.run.question); box.focus(); },
      "z1-copy": (card, button) => copied(button, card.run.answer || card.run.trace),
      "z1-copy-code": (_, button) => copied(button, button.parentElement.querySelector("code").textContent.replace(/\n$/, "")),
      "z1-json": (card) => trigger("export", { id: card.run.id }),
      "z1-example": (_, button) => { box.value = button.dataset.example; box.focus(); },
    };
    element.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      const card = button && cards.find((each) => each.element.contains(button));
      const act = button && (actions[button.id] ?? actions[button.classList[0]]);
      act?.(card, button);
    });
    const file = find("input[type=file]");
    file.addEventListener("change", async () => {
      const [chosen] = file.files;
      if (chosen) trigger("bring", { text: chosen.size > 5e6 ? "" : await chosen.text(), size: chosen.size });
      file.value = "";
    });
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.shiftKey || event.isComposing) return;
      event.preventDefault();
      actions.run();
    });
    watch("value", () => show(props.value));
    show(props.value);
  };

  // The Compare tab.
  const compare = (element, props, trigger, watch) => {
    const find = (selector) => element.querySelector(selector);
    const cards = [], sizes = find("#compare-windows"), question = find("#compare-question");
    let shown = { n: -1, question: "", windows: "" }, split = "";
    class Place {
      constructor() {
        this.element = make("div", "z1-card");
        this.element.innerHTML = `<div class="z1-card-head"><b></b></div><div class="z1-card-line"></div><div class="z1-card-answer"><div></div></div>
          <div class="z1-card-foot"><div><span class="z1-short"></span><span class="z1-agree"></span></div><p></p></div>`;
        this.text = new Text(this.element.querySelector(".z1-card-answer > div"));
      }
      show({ title, line, answer, short, agrees, foot }) {
        const inside = (selector) => this.element.querySelector(selector);
        put(inside(".z1-card-head b"), title);
        put(inside(".z1-card-line"), line);
        this.text.show(answer);
        inside(".z1-card-answer").classList.toggle("z1-none", !answer);
        put(inside(".z1-short"), short);
        put(inside(".z1-agree"), agrees);
        inside(".z1-agree").className = `z1-agree ${agrees[0] === "✓" ? "z1-yes" : agrees[0] === "≠" ? "z1-no" : ""}`;
        put(inside(".z1-card-foot p"), foot);
        inside(".z1-card-foot").hidden = !foot;
        inside(".z1-card-foot > div").hidden = !short;
      }
    }
    const tokens = ({ tokens: texts, trace, cuts }) => {
      split = `${texts.length} ${cuts}`;
      const at = new Map(cuts), parts = [];
      texts.forEach((text, n) => {
        const part = make("span", "", text);
        part.dataset.n = n + 1;
        parts.push(part);
        if (at.has(n + 1)) parts.push(make("mark", `z1-here ${at.get(n + 1)}`, `✂ ${(n + 1).toLocaleString("en-US")}`));
      });
      find(".z1-tokens").replaceChildren(...(parts.length ? parts : [trace]));
    };
    const show = (value) => {
      if (!value || value.n <= shown.n) return;
      if (question.value === shown.question) question.value = value.question;
      if (sizes.value === shown.windows) sizes.value = value.windows;
      find(".z1-compare-empty").hidden = value.cards.length > 0;
      find(".z1-compare").hidden = !value.cards.length;
      find(".z1-after").hidden = !value.done;
      complain(find(".z1-message"), value.complaint);
      put(find(".z1-head b"), value.head);
      put(find(".z1-head span"), value.numbers);
      find(".z1-meter").classList.toggle("z1-busy", value.running);
      const bar = find(".z1-bar");
      bar.firstChild.style.width = `${value.bar}%`;
      bar.setAttribute("aria-label", value.used);
      while (bar.children.length > 1) bar.lastChild.remove();
      bar.append(...value.marks.map(([left, kind, title]) => {
        const mark = make("u", kind);
        mark.style.left = `${left}%`;
        mark.title = title;
        return mark;
      }));
      keep(find(".z1-cards"), cards, value.cards, () => new Place(), (card, each) => card.show(each));
      if (value.done && split !== `${value.tokens.length} ${value.cuts}`) tokens(value);
      put(find("[role=status]"), value.status);
      find("#compare").disabled = value.running;
      put(find("#compare"), value.running ? "Comparing" : "Compare");
      find("#compare-stop").disabled = !value.running;
      shown = value;
    };
    const recut = () => trigger("recut", { at: find("#recut-at input").value });
    element.addEventListener("click", ({ target }) => {
      const token = target.closest(".z1-tokens span[data-n]"), id = target.closest("button")?.id;
      if (token) find("#recut-at input").value = token.dataset.n;
      if (token || id === "recut") recut();
      else if (id === "compare") {
        const answer = find("#compare-answer").value;
        trigger("run", { question: question.value, windows: sizes.value, answer, settings: chosen() });
      }
      else if (id === "compare-stop") trigger("stop");
    });
    watch("value", () => show(props.value));
    show(props.value);
  };

  // Without https there is no navigator.clipboard, except on this very machine.
  const write = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = document.body.appendChild(make("textarea"));
    field.value = text;
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) throw new Error("the browser does not copy");
  };
  const copy = (text) => write(text).then(() => "Copied", () => "Copying is blocked");
  const save = (text) => {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `z1-run-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  // The settings. What stands in the boxes is words; the server says which are none, what fits, and what follows.
  const MEMORY = "z1-settings";
  let chosen = () => ({});
  const settings = (element, props, trigger, watch) => {
    const find = (selector) => element.querySelector(selector);
    const fields = [...element.querySelectorAll(".z1-field:not(#preset)")], told = find("#link-told"), leaves = find(".z1-leaves");
    const box = (field) => field.querySelector("input[type=number], input[type=text], textarea");
    const slider = (field) => field.querySelector("input[type=range]");
    // A number that is being typed may be empty or out of bounds: until it is left, the nearest that goes counts.
    const read = (field) => {
      const { value, min, max } = box(field), radio = field.querySelector("input:checked");
      if (!slider(field)) return radio?.value || value;
      return value === "" ? slider(field).value : String(Math.min(Math.max(Number(value), Number(min)), Number(max)));
    };
    const write = (field, word) => {
      const radios = [...field.querySelectorAll("input[type=radio]")], radio = radios.find(({ value }) => value === word) ?? radios.at(-1);
      if (radio) radio.checked = true;
      if (radio) box(field).hidden = radio.value !== "";
      if (!radio?.value) box(field).value = word;
      if (slider(field)) slider(field).value = word;
    };
    const values = () => Object.fromEntries(fields.map((field) => [field.id, read(field)]));
    const ask = (more = {}) => trigger("changed", { values: values(), shown: find("#preset input:checked")?.value ?? "", link: "", opens: false, preset: "", ...more });
    const keep = () => { try { localStorage.setItem(MEMORY, JSON.stringify(Object.fromEntries(Object.entries(values()).filter(([name, word]) => word !== usual[name])))); } catch { /* forbidden here */ } };
    const kept = () => { try { return { ...JSON.parse(localStorage.getItem(MEMORY)) }; } catch { return {}; } };
    let soon, usual, own = false;
    const changed = (more) => {
      own = true;
      keep();
      clearTimeout(soon);
      soon = setTimeout(ask, 100, more);
    };
    chosen = () => {
      fields.filter(slider).forEach((field) => write(field, read(field)));
      return values();
    };
    element.addEventListener("input", ({ target }) => {
      const field = target.closest(".z1-field");
      if (field.id === "preset") return changed({ preset: target.value });
      if (target.type === "range") box(field).value = target.value;
      else if (slider(field)) slider(field).value = read(field);
      else if (target.type === "radio") box(field).hidden = target.value !== "";
      changed();
    });
    element.addEventListener("focusout", ({ target }) => {
      const field = target.type === "number" && target.closest(".z1-field");
      if (field) write(field, read(field));
    });
    find("#reset").addEventListener("click", () => {
      fields.forEach((field) => write(field, usual[field.id]));
      put(told, "");
      changed();
    });
    find("#copy-link").addEventListener("click", async ({ target }) => {
      const query = Object.entries(values()).filter(([name, word], n) => n < 2 || word !== usual[name]);
      put(target, await copy(`${location.origin}${location.pathname}?${new URLSearchParams(query)}`));
      setTimeout(put, 1500, target, "Copy link");
    });
    watch("value", () => {
      const value = props.value;
      if (value.ask) return usual && ask();
      const late = !usual && own;  // somebody was faster than the first answer
      const stay = usual ? fields.filter((field) => read(field) === usual[field.id] && usual[field.id] !== value.defaults[field.id]) : [];
      stay.forEach((field) => write(field, value.defaults[field.id]));  // another model, with other defaults
      usual = value.defaults;
      for (const name of ["window", "total"]) box(find(`#${name}`)).max = slider(find(`#${name}`)).max = value.most;
      if (!late) fields.filter(({ id }) => id in value.values).forEach((field) => write(field, value.values[field.id]));
      for (const radio of element.querySelectorAll("#preset input")) radio.checked = radio.value === value.preset;
      put(leaves, value.leaves);
      leaves.classList.toggle("z1-none", value.wrong);
      if (value.told) put(told, value.told);
      if (own) keep();
      if (stay.length) ask();
      if (!element.hasAttribute("data-ready")) endClock();
      element.setAttribute("data-ready", "");
    });
    ask({ values: kept(), link: location.search, opens: true });
  };

  // Gradio (6.31) counts the seconds that the page took to load for ever, at every frame, on cores that the model computes on.
  // What asks for the next frame during one frame, when all is there, is that clock: it does not get it (ui/door.py), and never
  // asks again.
  const endClock = () => requestAnimationFrame(() => {
    requestAnimationFrame(() => { window.z1Still = false; });
    window.z1Still = true;
  });

  // Keys, but those of an input method.
  const press = (...ids) => {
    const button = ids.map((id) => document.getElementById(id)).find((each) => each?.offsetParent);
    if (button && !button.disabled) button.click();
    return Boolean(button);
  };
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const ctrl = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
    const ids = ctrl && event.key === "Enter" ? ["run", "compare"] : ctrl && event.key.toLowerCase() === "e" ? ["answer-now"] : event.key === "Escape" ? ["stop", "compare-stop"] : [];
    if (ids.length && press(...ids)) event.preventDefault();
  });

  return { think, compare, settings };
})();
