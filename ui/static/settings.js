"use strict";
// The settings. What stands in the boxes is words; the server says which are none, what fits, and what follows.
window.z1.chosen = () => ({});
window.z1.settings = (element, props, trigger, watch) => {
  const { put, copy } = window.z1;
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
  let soon, usual, again = false, edits = 0;
  const ask = (more = {}) => trigger("changed", { edits, values: values(), shown: find("#preset input:checked")?.value ?? "", link: "", opens: false, preset: "", ...more });
  const keep = () => { try { localStorage.setItem("z1-settings", JSON.stringify(Object.fromEntries(Object.entries(values()).filter(([name, word]) => word !== usual[name])))); } catch { /* forbidden here */ } };
  const kept = () => { try { return { ...JSON.parse(localStorage.getItem("z1-settings")) }; } catch { return {}; } };
  const changed = (more) => {
    edits++;
    keep();
    clearTimeout(soon);
    soon = setTimeout(ask, 100, more);
  };
  window.z1.chosen = () => {
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
    if (value.ask) return usual ? ask() : again = true;  // when the first answer is there: it may have been given before
    const stay = usual ? fields.filter((field) => read(field) === usual[field.id] && usual[field.id] !== value.defaults[field.id]) : [];
    stay.forEach((field) => write(field, value.defaults[field.id]));  // another model, with other defaults
    usual = value.defaults;
    for (const name of ["window", "total"]) box(find(`#${name}`)).max = slider(find(`#${name}`)).max = value.most;
    if (value.edits === edits) {  // somebody may have been faster; a later answer is on its way then
      fields.filter(({ id }) => id in value.values).forEach((field) => write(field, value.values[field.id]));
      for (const radio of element.querySelectorAll("#preset input")) radio.checked = radio.value === value.preset;
      put(leaves, value.leaves);
      leaves.classList.toggle("z1-none", value.wrong);
    }
    if (value.told) put(told, value.told);
    if (edits) keep();
    if (stay.length || again) ask();
    again = false;
    if (!element.hasAttribute("data-ready")) slowClock();
    element.setAttribute("data-ready", "");
  });
  ask({ values: kept(), link: location.search, opens: true });
};

// Gradio (6.31) counts the seconds that the page took to load for ever, at every frame, on cores that the model computes on.
// What asks for the next frame during one frame, when all is there, is that clock: it ticks every three seconds from then on
// (ui/door.py).
const slowClock = () => requestAnimationFrame(() => {
  requestAnimationFrame(() => { window.z1Slow = false; });
  window.z1Slow = true;
});
