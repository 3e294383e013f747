"""Judging in the terminal, for machines without a browser."""

from collections.abc import Callable, Mapping

from text2image.base.console import InputError, one_line
from text2image.collection.images import read_image_bytes
from text2image.collection.manifest import ImageFile
from text2image.queries.judging.session import GRADES, Session, Turn

KEYS = ", ".join(f"{grade} {meaning}" for grade, meaning in GRADES.items())
PROMPT = "grade, with a note after it if you like; u undo, s skip query, q quit > "


def judge_in_terminal(
    session: Session,
    files: Mapping[str, ImageFile],
    ask: Callable[[str], str] = input,
    tell: Callable[[str], None] = print,
) -> None:
    """Show one image's path after the other and keep the grades typed, until all is judged or ``q``.

    Args:
        files: ``{image_id: image}`` of the gallery.
        ask: shows a prompt and returns a line; its end of file, or Ctrl-C, is a ``q``.
        tell: shows a line.
    """
    tell(KEYS)
    while (turn := session.turn()) is not None:
        tell("")
        tell(f"{session.progress()}")
        tell(f"query  {one_line(turn.query.text)}")
        tell(f"image  {one_line(files[turn.image_id].path)}")
        try:
            answer = ask(PROMPT).strip()
        except (EOFError, KeyboardInterrupt):
            return
        if answer.lower() == "q":
            return
        tell(_apply(answer, session, turn, files[turn.image_id]))
    skipped = f", {len(session.skipped)} queries skipped" if session.skipped else ""
    tell(f"nothing left to judge{skipped}")


def _apply(answer: str, session: Session, turn: Turn, image: ImageFile) -> str:
    """Do what was typed and say what was done."""
    word, _, note = answer.partition(" ")
    if word.lower() == "u":
        row = session.undo()
        return f"taken back: {row.relevance} for {one_line(row.query)}" if row else "nothing to take back"
    if word.lower() == "s":
        session.skip(turn.query.query_id)
        return "skipped"
    if word in {str(grade) for grade in GRADES}:
        try:
            read_image_bytes(image)  # somebody who opened a file that was replaced has judged another picture
        except InputError as error:
            # No grade for this image can be taken, however often one is typed.
            session.skip(turn.query.query_id)
            return f"error: {error}; the query is skipped"
        session.judge(turn.query.query_id, turn.image_id, int(word), note)
        return f"{word} {GRADES[int(word)]}"
    return f"expected {', '.join(map(str, GRADES))}, u, s or q, found '{one_line(answer, 40)}'"
