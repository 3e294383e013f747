// Clicks inside the answer: an example is asked, more is shown, a grade is kept.
element.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.ask !== undefined) trigger("ask", { query: button.dataset.ask });
  if (button.dataset.more !== undefined) trigger("more");
  if (button.dataset.grade === undefined) return;
  const image = button.closest("[data-image]").dataset.image;
  const query = button.closest("[data-query]").dataset.query;
  const grade = Number(button.dataset.grade);
  const reply = await server.judge({ query, image, grade }).catch(() => ({ error: "not kept: is the page still served?" }));
  for (const card of element.querySelectorAll(`[data-image="${image}"]`)) {  // it may stand under both systems
    const output = card.querySelector("output");
    output.textContent = reply.error ?? "✓ kept";
    output.title = reply.error ? "" : `for ${reply.kept}`;
    if (reply.error) continue;
    for (const other of card.querySelectorAll("[data-grade]"))
      other.setAttribute("aria-pressed", String(Number(other.dataset.grade) === grade));
  }
});
