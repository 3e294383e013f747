// A picture that is chosen, or dropped on the button, is sent and then searched for.
const said = element.querySelector("output");
const send = async (file) => {
  if (!file) return;
  said.textContent = "";
  const answer = await fetch("/picture", { method: "POST", body: file }).catch(() => null);
  const found = answer && (answer.ok || answer.status === 415) ? await answer.json() : { error: "not taken: too large?" };
  if (found.error) said.textContent = found.error;
  else trigger("picture", { picture: found.picture });
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
