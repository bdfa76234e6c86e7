() => {
  const press = (id) => {
    const button = document.getElementById(id);
    if (button && !button.disabled) button.click();
    return Boolean(button);
  };
  document.addEventListener("keydown", (event) => {
    const ctrl = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
    const id = ctrl && event.key === "Enter" ? "run" : ctrl && event.key.toLowerCase() === "e" ? "answer-now" : event.key === "Escape" ? "stop" : null;
    if (id && press(id)) event.preventDefault();
  });
}
