"use strict";
// Keys press the button that names them; a key held down grades one image, not a row of them.
const note = document.querySelector("input[name=note]");
document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === note) {
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault();
      note.blur();
    }
    return;
  }
  if (event.key.toLowerCase() === "n" && note) {
    event.preventDefault();
    note.focus();
    return;
  }
  const button = document.querySelector(`button[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (button) button.click();
});
// One answer a page: a second click while the next page loads would be for an image not yet seen.
let sent = false;
document.addEventListener("submit", (event) => {
  if (sent) event.preventDefault();
  sent = true;
});
window.addEventListener("pageshow", () => { sent = false; });
for (const address of document.body.dataset.preload.split(" ").filter(Boolean)) new Image().src = address;
