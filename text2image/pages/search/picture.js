// A picture that is chosen, or dropped on the button, is sent and then searched for.
const note = element.querySelector("output");
const send = async (file) => {
  if (!file) return;
  note.textContent = "";
  const response = await fetch("/picture", { method: "POST", body: file }).catch(() => null);
  const reply = response && (response.ok || response.status === 415) ? await response.json() : { error: "not taken: too large?" };
  if (reply.error) note.textContent = reply.error;
  else trigger("picture", { picture: reply.picture });
};
element.addEventListener("change", (event) => {
  send(event.target.files[0]);
  event.target.value = "";
});
element.addEventListener("dragover", (event) => event.preventDefault());
element.addEventListener("drop", (event) => {
  event.preventDefault();
  send(event.dataTransfer.files[0]);
});
