// What the tabs show: a run as a card, the conversation, the comparison; keys and saving.
"use strict";
(() => {
  const { Text, make, put, copy } = window.z1;

  // Each place shows the words that it is named after, and is hidden where there are none.
  const PLACES = "[data-say]";
  const say = (places, words) => {
    for (const place of places) {
      put(place, words[place.dataset.say]);
      place.hidden = !place.textContent;
    }
  };

  // One run: question, meter, trace, cut, answer, how it ended, and what can be done with it.
  const CARD = `<div class="z1-question" data-say="question"></div><div class="z1-turn">
    <div class="z1-meter"><div class="z1-head"><b data-say="head"></b><span data-say="numbers"></span></div>
    <div class="z1-bar" role="img"><i class="z1-thinking"></i><i class="z1-hint"></i><i class="z1-answer"></i><u title="the window ends here"></u></div>
    <div class="z1-key"></div></div>
    <details class="z1-trace" open><summary>Trace: what the model wrote in the window</summary><div class="z1-trace-text"><div></div></div></details>
    <div class="z1-cut" data-say="cut"></div><div class="z1-inserted"><em>Inserted</em><span data-say="inserted"></span></div>
    <div class="z1-answer-text"><div></div></div><div class="z1-foot"><span data-say="ended"></span><span data-say="facts"></span></div>
    <div class="z1-error" role="alert" data-say="error"></div>
    <div class="z1-actions"><button type="button" class="z1-copy">Copy answer</button><button type="button" class="z1-again">Run again</button>
    <button type="button" class="z1-edit">Edit question</button><button type="button" class="z1-json">Export JSON</button></div></div>`;
  class Card {
    constructor() {
      this.element = make("div", "z1-turn-outer");
      this.element.innerHTML = CARD;
      this.places = this.element.querySelectorAll(PLACES);
      this.find = (selector) => this.element.querySelector(selector);
      this.trace = new Text(this.find(".z1-trace-text > div"));
      this.answer = new Text(this.find(".z1-answer-text > div"));
    }
    fold(folded) { this.find(".z1-trace").open = !folded; }
    show(run, isLast) {
      if (this.run?.end && this.run.id === run.id && this.isLast === isLast) return;  // it has ended, and is drawn
      if (this.run && this.run.id !== run.id) this.fold(false);
      this.run = run;
      this.isLast = isLast;
      const { find } = this;
      say(this.places, run);
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
      find(".z1-foot").toggleAttribute("data-end", Boolean(run.end));
      if (run.end) find(".z1-foot").dataset.end = run.end;
      find(".z1-turn").classList.toggle("z1-is-inside", run.end === "inside");
      const seen = { "trace-text": run.trace, inserted: run.cut, "answer-text": run.answer, foot: run.end && !run.error, actions: run.end };
      for (const [name, is] of Object.entries({ ...seen, again: isLast, edit: isLast })) find(`.z1-${name}`).hidden = !is;
      for (const name of ["again", "edit"]) find(`.z1-${name}`).id = isLast ? name : "";
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

  // A drawing of the latest value that rests for fifteen times as long as it took, a second at most: a paragraph of pages is
  // drawn anew less often while it grows, all else whenever something comes.
  const paced = (draw) => {
    let next = 0, waits = false;
    const now = () => {
      waits = false;
      const began = performance.now();
      draw();
      next = performance.now() + Math.min(15 * (performance.now() - began), 1000);
    };
    return () => {
      if (!waits) setTimeout(now, Math.max(0, next - performance.now()));
      waits = true;
    };
  };

  // The Think tab. value: what ui/views.py says; n: later values have a larger one.
  const think = (element, props, trigger, watch) => {
    const find = (selector) => element.querySelector(selector);
    const box = find("#question textarea"), cards = [];
    let shown = { n: -1, turns: [], saved: 0 }, editing = false;
    const edit = (on, text) => {
      editing = on;
      find(".z1-editing-row").hidden = !on;
      box.value = text;
    };
    const show = (value) => {
      if (!value || value.n <= shown.n) return;
      const began = value.turns.length && value.turns.at(-1).id !== shown.turns.at(-1)?.id;
      if (began && value.turns.at(-1).question === box.value) edit(false, "");  // not what was typed since
      keep(find(".z1-turns"), cards, value.turns, Card);
      if (began) cards.slice(0, -1).forEach((card) => card.fold(Boolean(card.run.cut)));
      for (const grid of element.querySelectorAll("[data-for]")) grid.hidden = grid.dataset.for !== value.model.examples;
      find(".z1-empty").hidden = cards.length > 0;
      element.classList.toggle("z1-talks", cards.length > 0);
      put(find("#message"), value.complaint);
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
    watch("value", paced(() => show(props.value)));
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
        this.element.innerHTML = `<div class="z1-card-head"><b data-say="title"></b></div><div class="z1-card-line" data-say="line"></div>
          <div class="z1-card-answer"><div></div></div><div class="z1-card-foot"><div><span class="z1-short" data-say="short"></span>
          <span class="z1-agree" data-say="agrees"></span></div><p data-say="foot"></p></div>`;
        this.text = new Text(this.element.querySelector(".z1-card-answer > div"));
      }
      show(place) {
        const inside = (selector) => this.element.querySelector(selector);
        say(this.element.querySelectorAll(PLACES), place);
        this.text.show(place.answer);
        inside(".z1-card-answer").classList.toggle("z1-none", !place.answer);
        inside(".z1-agree").dataset.sign = place.agrees[0] ?? "";
        inside(".z1-card-foot").hidden = !place.foot;
        inside(".z1-card-foot > div").hidden = !place.short;
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
      put(find(".z1-message"), value.complaint);
      for (const place of element.querySelectorAll(".z1-head b, [role=status]")) put(place, value.head);
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
      keep(find(".z1-cards"), cards, value.cards, Place);
      if (value.done && split !== `${value.tokens.length} ${value.cuts}`) tokens(value);
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
        trigger("run", { question: question.value, windows: sizes.value, answer, settings: window.z1.chosen() });
      }
      else if (id === "compare-stop") trigger("stop");
    });
    watch("value", paced(() => show(props.value)));
    show(props.value);
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

  Object.assign(window.z1, { think, compare });
})();
