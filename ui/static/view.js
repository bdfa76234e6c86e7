// What the tabs show: a run as a card, the conversation, the comparison; keys and saving.
"use strict";
(() => {
  const { Text, make, put, copy } = window.z1;

  // A piece of HTML that shows values. Its places name what they show: data-say words (an empty place is not seen, see
  // style.css), data-text what a model wrote; data-if is seen, and data-on can be pressed, only where the value is something.
  // One that has a meter shows head and numbers there, the bar with its marks, and a key.
  const METER = `<div class="z1-head"><b data-say="head"></b><span data-say="numbers"></span></div>
    <div class="z1-bar" role="img"></div><div class="z1-key"></div>`;
  class View {
    constructor(element, html) {
      this.element = element;
      if (html) element.innerHTML = html;
      this.find = (selector) => element.querySelector(selector);
      this.meter = this.find(".z1-meter");
      if (this.meter) this.meter.innerHTML = METER;
      const places = (kind) => [...element.querySelectorAll(`[data-${kind}]`)].map((place) => [place, place.dataset[kind]]);
      this.says = places("say");
      this.texts = places("text").map(([place, name]) => [new Text(place.firstChild), name]);
      this.ifs = places("if");
      this.ons = places("on");
    }
    show(value) {
      for (const [place, name] of this.says) put(place, value[name] ?? "");
      for (const [text, name] of this.texts) text.show(value[name]);
      for (const [place, name] of this.ifs) place.hidden = !value[name];
      for (const [place, name] of this.ons) place.disabled = !value[name];
      if (this.meter) this.measure(value);
    }
    measure({ running, used, bar, marks, key }) {
      this.meter.classList.toggle("z1-busy", running);
      const parts = bar.map(([kind, percent]) => {
        const part = make("i", `z1-${kind}`);
        part.style.width = `${percent}%`;
        return part;
      });
      const ends = marks.map(([percent, kind, title]) => {
        const end = Object.assign(make("u", kind), { title });
        end.style.left = `${percent}%`;
        return end;
      });
      this.find(".z1-bar").setAttribute("aria-label", used);
      this.find(".z1-bar").replaceChildren(...parts, ...ends);
      this.find(".z1-key").replaceChildren(...key.map(([kind, words]) => {
        const part = make("span", kind === "waits" ? "z1-waits" : "");
        if (kind && kind !== "waits") part.append(make("s", `z1-${kind}`));
        part.append(words);
        return part;
      }));
    }
  }

  // One run: question, meter, trace, cut, answer, how it ended, and what can be done with it.
  const TURN = `<div class="z1-question" data-say="question"></div><div class="z1-turn"><div class="z1-meter"></div>
    <details class="z1-trace" open><summary>Trace: what the model wrote in the window</summary>
    <div class="z1-trace-text" data-text="trace" data-if="trace"><div></div></div></details>
    <div class="z1-cut" data-say="cut"></div>
    <div class="z1-inserted" data-if="cut"><em>Inserted</em><span data-say="inserted"></span></div>
    <div class="z1-answer-text" data-text="answer" data-if="answer"><div></div></div>
    <div class="z1-foot" data-if="ended"><span data-say="ended"></span><span data-say="facts"></span></div>
    <div class="z1-error" role="alert" data-say="error"></div>
    <div class="z1-actions" data-if="end"><button type="button" class="z1-copy">Copy answer</button>
    <button type="button" class="z1-again" data-if="isLast">Run again</button>
    <button type="button" class="z1-edit" data-if="isLast">Edit question</button>
    <button type="button" class="z1-json">Export JSON</button></div></div>`;
  class Turn extends View {
    constructor() { super(make("div", "z1-turn-outer"), TURN); }
    fold(folded) { this.find(".z1-trace").open = !folded; }
    show(run, isLast) {
      if (this.run?.end && this.run.id === run.id && this.isLast === isLast) return;  // it has ended, and is drawn
      if (this.run && this.run.id !== run.id) this.fold(false);
      Object.assign(this, { run, isLast });
      super.show({ ...run, isLast });
      this.find(".z1-foot").toggleAttribute("data-end", Boolean(run.end));
      if (run.end) this.find(".z1-foot").dataset.end = run.end;
      this.find(".z1-turn").classList.toggle("z1-is-inside", run.end === "inside");
      for (const name of ["again", "edit"]) this.find(`.z1-${name}`).id = isLast ? name : "";
    }
  }

  // One window of a comparison.
  const PLACE = `<div class="z1-card-head"><b data-say="title"></b></div><div class="z1-card-line" data-say="line"></div>
    <div class="z1-card-answer" data-text="answer"><div></div></div>
    <div class="z1-card-foot" data-if="foot"><div data-if="short"><span class="z1-short" data-say="short"></span>
    <span class="z1-agree" data-say="agrees"></span></div><p data-say="foot"></p></div>`;
  class Place extends View {
    constructor() { super(make("div", "z1-card"), PLACE); }
    show(place) {
      super.show(place);
      this.find(".z1-card-answer").classList.toggle("z1-none", !place.answer);
      this.find(".z1-agree").dataset.sign = place.agrees[0] ?? "";
    }
  }

  // A list of cards or the like, one for each value, made and removed as needed.
  const keep = (parent, made, values, Kind) => {
    while (made.length > values.length) made.pop().element.remove();
    while (made.length < values.length) {
      made.push(new Kind());
      parent.append(made.at(-1).element);
    }
    values.forEach((value, n) => made[n].show(value, n === values.length - 1));
  };

  // Draws the latest value, and rests for fifteen times as long as that took, a second at most: a paragraph of pages is drawn
  // anew less often while it grows, all else whenever something comes. n: later values have a larger one, in whatever order
  // they come.
  const follow = (props, watch, draw) => {
    let next = 0, waits = false, latest = { n: -1 };
    const comes = () => {
      const isLater = props.value?.n > latest.n;
      if (isLater) latest = props.value;
      return isLater;
    };
    const now = () => {
      waits = false;
      const began = performance.now();
      draw(latest);
      next = performance.now() + Math.min(15 * (performance.now() - began), 1000);
    };
    watch("value", () => {
      if (!comes() || waits) return;
      setTimeout(now, Math.max(0, next - performance.now()));
      waits = true;
    });
    if (comes()) now();
  };

  // The Think tab. What it shows is of ui/views.py.
  const think = (element, props, trigger, watch) => {
    const view = new View(element), { find } = view;
    const box = find("#question textarea"), cards = [];
    let shown = { turns: [], saved: 0 }, editing = false;
    const edit = (on, text) => {
      editing = on;
      find(".z1-editing-row").hidden = !on;
      box.value = text;
    };
    follow(props, watch, (value) => {
      const began = value.turns.length && value.turns.at(-1).id !== shown.turns.at(-1)?.id;
      if (began && value.turns.at(-1).question === box.value) edit(false, "");  // not what was typed since
      view.show(value);
      keep(find(".z1-turns"), cards, value.turns, Turn);
      if (began) cards.slice(0, -1).forEach((card) => card.fold(Boolean(card.run.cut)));
      for (const grid of element.querySelectorAll("[data-for]")) grid.hidden = grid.dataset.for !== value.examples;
      element.classList.toggle("z1-talks", !value.empty);
      if (value.saved !== shown.saved) save(value.file);
      shown = value;
    });
    const copied = async (button, text) => {
      put(button, await copy(text));
      setTimeout(() => put(button, button.classList.contains("z1-copy") ? "Copy answer" : "Copy"), 1500);
    };
    const actions = {
      run: () => trigger("run", { question: box.value, editing, again: false, settings: window.z1.chosen() }),
      again: () => { trigger("run", { question: "", editing: false, again: true, settings: window.z1.chosen() }); find("#stop").focus(); },
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
  };

  // The Compare tab.
  const comparison = (element, props, trigger, watch) => {
    const view = new View(element), { find } = view;
    const cards = [], sizes = find("#compare-windows"), question = find("#compare-question");
    let shown = { question: "", windows: "" }, split = "";
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
    follow(props, watch, (value) => {
      if (question.value === shown.question) question.value = value.question;
      if (sizes.value === shown.windows) sizes.value = value.windows;
      view.show(value);
      keep(find(".z1-cards"), cards, value.cards, Place);
      if (value.done && split !== `${value.tokens.length} ${value.cuts}`) tokens(value);
      shown = value;
    });
    const recut = () => trigger("recut", { at: find("#recut-at input").value });
    element.addEventListener("click", ({ target }) => {
      const token = target.closest(".z1-tokens span[data-n]"), id = target.closest("button")?.id;
      if (token) find("#recut-at input").value = token.dataset.n;
      if (token || id === "recut") recut();
      else if (id === "compare") {
        const answer = find("#compare-answer").value;
        trigger("run", { question: question.value, windows: sizes.value, answer, settings: window.z1.chosen() });
      }
      else if (id === "compare-stop") trigger("stop");
    });
  };

  const save = (text) => {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `z1-run-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

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

  Object.assign(window.z1, { think, comparison });
})();
