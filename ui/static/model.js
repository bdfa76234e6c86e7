"use strict";
// The header: the list of models that the badge opens, where there is one, and the way out of a failure. It runs once: of the
// header's HTML Gradio changes what is different and leaves the rest, the focus and a typed text included.
window.z1.model = (element, props, trigger, watch) => {
  const find = (selector) => element.querySelector(selector);
  const isOpen = () => element.hasAttribute("data-open");
  const show = (open) => {
    element.toggleAttribute("data-open", open);
    find("#model-badge")?.setAttribute("aria-expanded", open);
  };
  let pressed = false, wasBusy = false;
  element.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (button?.id === "restart") trigger("restart");
    if (button?.id === "model-badge") show(!isOpen());
    if (!button?.dataset.model && button?.id !== "cancel-model") return;
    pressed = true;
    trigger("submit", { model: button.dataset.model ?? null });
  });
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    if (find("#other-model").value.trim()) trigger("submit", { model: find("#other-model").value });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isOpen()) return;
    event.stopPropagation();  // it would stop a run
    show(false);
    find("#model-badge").focus();
  }, true);
  watch("value", () => {
    const fails = wasBusy && find("#model-panel [role=alert]") !== null;  // is told also where the list was closed
    wasBusy = find("#cancel-model") !== null;
    show(isOpen() || fails);
    if (!pressed || document.activeElement.closest("button:enabled")) return;
    pressed = false;  // what was pressed cannot be pressed any more, and would take the focus along
    (find("#cancel-model") ?? find("#model-badge")).focus({ preventScroll: true });
  });
};
