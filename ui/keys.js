() => {
  // What a model writes may bear any name: it is never taken for a part of the page.
  const own = (selector) => [...document.querySelectorAll(selector)].find((element) => !element.closest(".md"));
  const seen = (id) => {
    const element = own(`#${id}`);
    return element && element.offsetParent !== null ? element : null;
  };
  const press = (...ids) => {
    const button = ids.map(seen).find(Boolean);
    if (button && !button.disabled) button.click();
    return Boolean(button);
  };
  const type = (field, text) => {
    const prototype = field instanceof HTMLTextAreaElement ? HTMLTextAreaElement.prototype : HTMLInputElement.prototype;
    Object.getOwnPropertyDescriptor(prototype, "value").set.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  // While a number is typed it may be empty or out of bounds, which Gradio's sliders cannot take: they keep their last value
  // until there is a good one. What is left in the box is set right: within the bounds, or to what was there before.
  const last = new WeakMap();
  const isSlider = (element) => element?.matches?.(".z1-settings input[type=number]");
  const within = (field) => Math.min(Math.max(Number(field.value), Number(field.min)), Number(field.max));
  const settle = (field) => {
    if (field.value === "") field.value = last.get(field) ?? field.min;
    else if (within(field) !== Number(field.value)) type(field, String(within(field)));
  };
  document.addEventListener("focusin", ({ target }) => isSlider(target) && last.set(target, target.value));
  document.addEventListener("focusout", ({ target }) => isSlider(target) && settle(target));
  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!isSlider(field)) return;
    if (field.value === "" || within(field) !== Number(field.value)) event.stopImmediatePropagation();
    else last.set(field, field.value);
  }, true);
  document.addEventListener("keydown", (event) => {
    const ctrl = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
    const ids = ctrl && event.key === "Enter" ? ["run", "compare"] : ctrl && event.key.toLowerCase() === "e" ? ["answer-now"] : event.key === "Escape" ? ["stop", "compare-stop"] : [];
    if (ids.length && isSlider(document.activeElement)) settle(document.activeElement);
    if (ids.length && press(...ids)) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const example = event.target.closest?.("[data-example]");
    const question = example && own("#question textarea");
    if (question) {
      type(question, example.dataset.example);
      question.focus();
    }
    const token = event.target.closest?.(".z1-tokens span[data-n]");
    const input = token && own("#recut-at input");
    if (!input) return;
    type(input, token.dataset.n);
    setTimeout(() => press("recut"), 60);
  });

  // Without https there is no navigator.clipboard, except on this very machine.
  const write = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = document.body.appendChild(document.createElement("textarea"));
    field.value = text;
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) throw new Error("the browser does not copy");
  };
  const copy = (text) => write(text).then(() => "Copied", () => "Copying is blocked");
  window.z1 = {
    // pieces: so many of the answer, then those of the trace, which is the answer where there is no other.
    copyAnswer: (pieces, count) => copy(pieces.slice(0, count).join("") || pieces.slice(count).join("")),
    soon: (label) => new Promise((done) => setTimeout(() => done([label]), 1500)),
    named: (names, values) => Object.fromEntries(names.map((name, n) => [name, values[n]])),
    // What stands at its default is left out, except the window and the total.
    copyLink: (defaults, values) => {
      const chosen = defaults.map(([name, usual], n) => [name, values[n], usual]);
      const kept = chosen.filter(([name, value, usual], n) => n < 2 || value !== usual);
      const query = new URLSearchParams(kept.map(([name, value]) => [name, String(value)]));
      return copy(`${location.origin}${location.pathname}?${query}`);
    },
    save: (text, ending) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: ending === "json" ? "application/json" : "text/markdown" }));
      link.download = `z1-run-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.${ending}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    },
    focus: (id) => own(`#${id} textarea, button#${id}`)?.focus(),
  };
}
