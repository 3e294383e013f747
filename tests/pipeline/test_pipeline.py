"""What reruns when: real DVC in a temporary clone, on a few photographs."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.conftest import Finished
from tests.support.banners import add_banners
from tests.support.pipeline import Project, add_photographs, new_project, ran, tiny_model
from text2image.formats.trec import read_queries, read_run

pytestmark = pytest.mark.pipeline

OVER_ALL = {"relevance", "systems", "evaluate", "audit"}
IMAGENET = OVER_ALL | {
    "label@imagenet", "embed_queries@builtin-imagenet", "retrieve@builtin-imagenet", "examples@imagenet",
    "examples_labels@imagenet",
}  # fmt: skip
PICTURES = ("examples@human", "examples_labels@human")


def test_a_second_source_adds_its_own_stages_alone(finished: Finished) -> None:
    everything = {"catalog", "embed_images@builtin", "label@human", *PICTURES}
    assert everything < finished.first
    own = IMAGENET | {
        "label_inputs",
        "local_models",
    }  # which have nothing for it, but to give it a file and a link
    assert finished.added_by_second_source == own, "no sheet of another source is drawn again"


def test_nothing_runs_when_nothing_changed(project: Project) -> None:
    assert project.repro() == set()
    project.set(runtime__batch_size=3, runtime__workers=1, runtime__device="cpu")
    project.set(runtime__engine="ray", runtime__ray__actors=2, runtime__ray__images_per_task=5)
    assert project.repro() == set()


def test_a_threshold_reruns_its_source_and_comes_back_from_the_run_cache(project: Project) -> None:
    before = json.loads((project.root / "metrics" / "metrics.json").read_text())
    project.set(label__imagenet__threshold=0.5)
    assert project.repro() == IMAGENET
    assert json.loads((project.root / "metrics" / "metrics.json").read_text()) != before
    project.set(label__imagenet__threshold=0.02)
    assert project.repro() == set()
    assert json.loads((project.root / "metrics" / "metrics.json").read_text()) == before


def test_k_reruns_the_evaluation_alone(project: Project) -> None:
    project.set(evaluate__k=[1, 3])
    assert project.repro() == {"evaluate"}, "what it chose to show is the same, so nothing is drawn"


def test_a_precision_embeds_again_and_labels_nothing(project: Project) -> None:
    before = embedded(project)
    project.set(embed__precision="bf16", runtime__batch_size=2, runtime__workers=2)
    ran = project.repro()
    again = {"embed_images@builtin", "embed_queries@builtin-human", "embed_queries@builtin-imagenet"}
    assert again | {"retrieve@builtin-human", "retrieve@builtin-imagenet", "evaluate"} <= ran
    assert not {name for name in ran if name.startswith(("embed_", "model", "label@"))} - again
    assert embedded(project) != before
    project.set(embed__precision="fp32")
    assert project.repro() == set(), "the run cache has it"
    assert embedded(project) == before
    project.set(embed__precision="fp16", runtime__device="cpu")
    assert "embed.precision in params.yaml on a CPU, found fp16" in project.failing_repro()


def test_an_index_is_a_stage_of_its_own_and_changes_no_ranking(project: Project) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed: pip install '.[index]'")
    assert not (project.root / "metrics" / "index").exists(), "nothing is written for what is off"
    kept = ["metrics/metrics.json", "data/ranks/builtin/human.csv", "data/runs/builtin/human.run"]
    before = [(project.root / name).read_bytes() for name in kept]
    project.set(index__models=["builtin"])
    assert project.repro() == {"index@builtin"}
    assert [(project.root / name).read_bytes() for name in kept] == before
    recalls = json.loads((project.root / "metrics" / "index" / "builtin.json").read_text())
    assert recalls.keys() == {"human", "imagenet"}
    for recall in recalls.values():
        assert recall.pop("n_images") == 10
        assert recall.pop("n_queries") > 0
        assert set(recall.values()) == {1.0}, "ten images are found whole"
    query, ranking = next(iter(read_run(project.root / "data" / "runs" / "builtin" / "human.run").items()))
    text = read_queries(project.root / "data" / "queries" / "human.tsv")[query]
    found = json.loads(project.run("t2i", "search", text, "--json", "-k", "1000"))
    assert [(item["image_id"], item["score"]) for item in found] == ranking, "the search asks the index"
    project.set(index__kind="ivf")
    refused = project.run("t2i", "search", "a text", check=False)
    assert re.fullmatch(
        r"error: expected an index of 10 vectors \(params key index.kind: ivf\) .* found IndexHNSWFlat of 10; .*\n",
        refused,
    )
    project.set(index__kind="ivfpq")
    assert "at least 9984 images for index.kind: ivfpq" in project.failing_repro()
    project.set(index__models=[], index__kind="hnsw")
    assert project.repro() == set()


def test_what_counts_as_relevant_embeds_nothing(project: Project) -> None:
    project.set(catalog__near_duplicate_bits=2, evaluate__seed=2)
    project.set(queries__cosine={"model": "builtin", "threshold": 0.5})
    ran = project.repro()
    assert {"catalog", "relevance", "evaluate"} <= ran
    assert not [name for name in ran if name.startswith(("embed_", "label@", "model@"))]


def test_a_judgement_changes_the_relevance_of_its_source_alone(project: Project) -> None:
    audit = (project.root / "data" / "labels" / "human.csv").read_text().splitlines()
    image_id, text, *_ = audit[1].split(",")
    other = audit[2].split(",")[0]
    with (project.root / "data" / "judgements.csv").open("a") as file:
        file.write(f"human,{text},{other},3,someone,\nhuman,{text},{image_id},0,someone,\n")
    ran = project.repro()
    assert {"relevance", "retrieve@builtin-human", "evaluate"} <= ran
    assert not [name for name in ran if name.startswith(("embed_", "label@", "retrieve@builtin-imagenet"))]
    assert f" 0 {other} 3\n" in (project.root / "data" / "qrels" / "human.qrels").read_text()


def test_an_edited_label_reruns_its_source_alone(project: Project) -> None:
    labels = project.root / "labels.csv"
    labels.write_text(labels.read_text() + "0/photo 0.jpg,something else entirely\n")
    assert project.repro() == OVER_ALL | {
        "label_inputs", "label@human", "embed_queries@builtin-human", "retrieve@builtin-human", *PICTURES,
    }  # fmt: skip


def test_a_described_model_runs_nothing_but_gets_a_link(project: Project) -> None:
    project.set(models__another={"name": "ViT-B-32", "pretrained": "openai", "context_length": None})
    assert project.repro() == {"local_models"}


def test_a_model_adds_its_own_stages_alone(project: Project) -> None:
    tiny_model(project.root / "tiny")
    project.set(
        models__tiny={"name": "local-dir:tiny", "pretrained": None, "context_length": None},
        embed__models=["builtin", "tiny"], retrieve__systems=["builtin", "tiny"],
    )  # fmt: skip
    assert project.repro() == OVER_ALL | {
        "local_models", "model@tiny", "embed_images@tiny", "embed_queries@tiny-human", "embed_queries@tiny-imagenet",
        "retrieve@tiny-human", "retrieve@tiny-imagenet", "examples@human", "examples@imagenet",
        "examples_labels@human", "examples_labels@imagenet",
    }  # fmt: skip
    metrics = json.loads((project.root / "metrics" / "metrics.json").read_text())
    assert metrics.keys() == {"builtin", "tiny"}
    comparison = json.loads((project.root / "metrics" / "comparison.json").read_text())
    assert "n = " in comparison["human"]["summary"][0]
    assert {model: of["imagenet"]["circular"] for model, of in metrics.items()} == {
        "builtin": True,
        "tiny": False,
    }, "the built-in classifier is a part of the built-in model"
    assert comparison["imagenet"].keys() == {"summary"}, "so there is nothing that could be compared"
    project.set(embed__models=["builtin"], retrieve__systems=["builtin"])
    assert project.repro() <= OVER_ALL | {"examples@human", "examples@imagenet"}, (
        "only what is over all models"
    )
    assert project.repro() == set()
    assert json.loads((project.root / "metrics" / "metrics.json").read_text()).keys() == {"builtin"}


def test_a_system_of_words_embeds_nothing_and_reads_no_image_again(project: Project) -> None:
    add_banners(project)
    project.set(label__sources=["human", "ocr"])
    assert "label@ocr" in project.repro()
    project.set(retrieve__fields=["ocr"], retrieve__systems=["builtin", "words"])
    output = project.run("dvc", "repro")
    own = {"field@ocr", "retrieve@words-human", "retrieve@words-ocr"}
    over_all = {"label_inputs", "local_models", "systems", "evaluate", "audit"}
    drawn = {f"{sheet}@{source}" for sheet in ("examples", "examples_labels") for source in ("human", "ocr")}
    assert own <= ran(output) <= own | over_all | drawn
    assert "label ocr" not in output, "there would be a progress bar, as where images are read"
    metrics = json.loads((project.root / "metrics" / "metrics.json").read_text())
    assert {system: of["ocr"]["circular"] for system, of in metrics.items()} == {
        "builtin": False,
        "words": True,
    }

    fusion = {
        "kind": "fusion",
        "of": ["builtin", "words"],
        "weights": {"builtin": 1.0, "words": 0.5},
    }
    project.set(systems__both=fusion, retrieve__systems=["builtin", "words", "both"])
    assert {"retrieve@both-human", "retrieve@both-ocr"} == retrieving(project.repro())
    project.set(systems__both=fusion | {"weights": {"builtin": 1.0, "words": 2.0}})
    again = project.repro()
    assert retrieving(again) == {"retrieve@both-human", "retrieve@both-ocr"}
    assert again <= {"local_models", "systems", "evaluate", "audit", *retrieving(again), *drawn}


def retrieving(stages: set[str]) -> set[str]:
    return {name for name in stages if name.startswith("retrieve@")}


def test_a_new_image_is_embedded_alone(project: Project) -> None:
    add_photographs(project, range(10, 11))
    output = project.run("dvc", "repro")
    assert "embed_images builtin: 1 embedded, 10 found in the store" in output
    assert "Running stage 'builtin_model'" not in output
    assert "Running stage 'sample/dvc.yaml:sample'" not in output
    assert "Running stage 'embed_queries@builtin-human'" not in output


def test_a_file_replaced_between_stages_is_named_and_the_advice_mends_it(tmp_path: Path) -> None:
    """What is remembered of a file goes by its time and size; where they are as they were, `touch` shows that it changed.

    And DVC may have recorded the new bytes as read, as it does where a file changes after the catalog has looked.
    """
    project = new_project(tmp_path / "project", sources=["human"])
    tiny_model(project.root / "tiny")
    described = {"name": "local-dir:tiny", "pretrained": None, "context_length": None}
    project.set(models__tiny=described, embed__models=["tiny"], retrieve__systems=["tiny"])
    first, second = sorted((project.root / "data" / "images").rglob("*.jpg"))[:2]
    project.repro("embed_images@tiny")
    for kept_time, recorded, end in ((False, True, b"\0"), (True, False, b"\1")):  # of the same length
        before = first.stat()
        first.write_bytes(second.read_bytes() + end)
        if recorded:
            project.run("dvc", "commit", "-f", "catalog")
        if kept_time:
            os.utime(first, ns=(before.st_atime_ns, before.st_mtime_ns))
        shutil.rmtree(project.root / ".cache" / "embeddings")
        output = project.failing_repro("--single-item", "--force", "embed_images@tiny")
        assert f"{first.relative_to(project.root)} as data/catalog.csv lists it" in output
        assert (
            "run `dvc repro -f -s catalog`, which reads the folder anew, then `dvc repro` (`touch`" in output
        )
        if kept_time:
            first.touch()
        assert project.repro("-f", "-s", "catalog") == {"catalog"}
        assert "embed_images@tiny" in project.repro("embed_images@tiny")
        rows = (project.root / "data" / "manifest.csv").read_text()
        assert hashlib.sha256(first.read_bytes()).hexdigest()[:16] in rows


def test_branches_compare(project: Project) -> None:
    project.run("git", "switch", "-qc", "other")
    project.set(label__imagenet__threshold=0.5)
    project.repro()
    project.commit("another threshold")
    difference = project.run("dvc", "metrics", "diff", "main", "other")
    assert re.search(r"builtin\.imagenet\.n_queries\s+\d+\s+\d+\s+-\d+", difference)
    assert not re.search(r"metrics.json +builtin.human", difference)
    plots = yaml.safe_load((project.root / "dvc.yaml").read_text())["plots"]
    titles = [
        plot["title"]
        for named in plots
        for name, plot in named.items()
        if name != "fusion_weights"  # of systems whose weights are tuned, of which the project has none
    ]
    assert len(titles) >= 8
    sheets = ["dataset_examples.png", "near_identical.png", "examples_human_builtin-best.png", "human.png"]
    for command in (["show"], ["diff", "main", "other"]):
        project.run("dvc", "plots", *command, "-o", "page")
        page = (project.root / "page" / "index.html").read_text()
        for expected in titles + sheets:
            assert expected in page, expected


def test_switching_branches_runs_nothing(project: Project) -> None:
    project.run("git", "switch", "-qc", "other")
    project.set(label__imagenet__threshold=0.5)
    project.repro()
    project.commit("another threshold")
    for branch in ("main", "other"):
        project.run("git", "switch", "-q", branch)
        assert project.repro() == set()
        assert project.run("git", "status", "--porcelain") == ""


def test_experiments_run_and_share_the_store(project: Project) -> None:
    project.run("dvc", "exp", "run", "-q", "-n", "half", "-S", "label.imagenet.threshold=0.5")
    assert yaml.safe_load((project.root / "params.yaml").read_text())["label"]["imagenet"]["threshold"] == 0.5
    assert "half" in project.run("dvc", "exp", "show", "--csv")


def embedded(project: Project) -> bytes:
    return (project.root / "data" / "embeddings" / "builtin" / "images.npy").read_bytes()


def test_a_killed_embedding_loses_no_batch_that_was_written(project: Project) -> None:
    """Kill the stage in the middle, go on: no finished batch is computed again, and the bytes are the same."""
    undisturbed = embedded(project)
    for path in (project.root / ".cache" / "embeddings").iterdir():
        path.unlink()
    (project.root / "data" / "embeddings" / "builtin" / "images.npy").unlink()
    stage = subprocess.Popen(
        ["python", "-c", SLOW_STAGE], cwd=project.root, env=project.environment(),
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert stage.stdout is not None
    for line in stage.stdout:
        if line.startswith("batches 1"):
            break
    os.killpg(stage.pid, signal.SIGKILL)
    stage.wait()
    time.sleep(0.1)
    output = project.run("python", "-m", "stages.embed_images", "builtin")
    found = re.search(r"(\d+) embedded, (\d+) found in the store", output)
    assert found is not None
    assert (int(found[1]), int(found[2])) == (2, 8), "the batch of eight that was finished is kept"
    assert embedded(project) == undisturbed


SLOW_STAGE = """
import sys, time
from text2image.encoders import embedding
plain = embedding.embed_images
def slow(*given):
    for number, batch in enumerate(plain(*given), start=1):
        yield batch
        time.sleep(1)  # what was handed over is written meanwhile
        print("batches", number, flush=True)
        time.sleep(60)
embedding.embed_images = slow
sys.argv = ["embed_images", "builtin"]
from stages import embed_images, run
run(embed_images.main, "model")
"""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data__images": "data/nowhere"}, "data/nowhere"),
        ({"label__imagenet__threshold": "high"}, "label.imagenet.threshold"),
        ({"label__sources": ["human", "nobody"]}, "nobody"),
        (
            {"label__imagenet__threshold": 1.0, "label__sources": ["imagenet"]},
            "expected at least one label from source 'imagenet'",
        ),
        ({"embed__models": ["clip-b32"], "retrieve__systems": ["clip-b32"]}, "set HF_HOME"),
        ({"retrieve__systems": ["builtin", "word"]}, "retrieve.systems: expected names under systems:"),
        (
            {"retrieve__systems": ["words"]},
            "systems.words: searches in ocr, expected that in retrieve.fields too",
        ),
        ({"evaluate__k": [5, 1]}, "evaluate.k"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_parameters_end_with_one_sentence(
    project: Project, changes: dict[str, object], message: str
) -> None:
    project.set(**changes)
    assert message in project.failing_repro()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file;words\n", "expected the columns path,text or image_id,text"),
        ("path;text\n", "only a header"),
        ("path,text\n", "only a header"),
        ("path,text\nelsewhere.jpg,a shoe\n", "1 of 1 rows names no image (first: line 2, elsewhere.jpg"),
        ('path,text\n"0/photo 0.jpg\n', "expected the quote that opens on line 2"),
    ],
)
def test_malformed_labels_end_with_one_sentence(project: Project, content: str, message: str) -> None:
    (project.root / "labels.csv").write_text(content)
    output = project.failing_repro()
    assert message in output
    assert "label.human.path" in output


def test_bad_folders_end_with_one_sentence_and_lose_nothing(project: Project) -> None:
    images, empty = project.root / "data" / "images", project.root / "data" / "empty"
    empty.mkdir()
    project.set(data__images="data/empty")
    assert "found no file" in project.failing_repro()
    project.set(data__images="data/images")
    assert project.repro() == set()
    for number in range(5):
        (images / f"{number}.txt").write_text("not an image")
    assert "catalog.max_rejected" in project.failing_repro()
    assert not [path for path in (project.root / "data").glob(".*") if path.name != ".gitignore"]
    project.set(catalog__max_rejected=0.5)
    project.repro()
    assert len((project.root / "data" / "rejects.csv").read_text().splitlines()) == 6


def test_a_folder_with_broken_and_circular_links(project: Project) -> None:
    """DVC names the file that it cannot hash; once it is told to ignore it, the catalog lists it."""
    images = project.root / "data" / "images"
    (images / "circle").symlink_to(".")
    (images / "gone.jpg").symlink_to("nowhere.jpg")
    (images / "new\nline, quo\"te'.jpg").write_bytes((images / "0" / "photo 0.jpg").read_bytes())
    assert "gone.jpg" in project.failing_repro("catalog")
    with (project.root / ".dvcignore").open("a") as file:
        file.write("data/images/gone.jpg\n")
    project.repro("catalog")
    rejects = (project.root / "data" / "rejects.csv").read_text()
    assert (
        rejects == "path,reason\ncircle,link to a folder (not followed)\ngone.jpg,broken or circular link\n"
    )


OUTSIDE = {"RR": "mrr", "nDCG@10": "ndcg@10"} | {
    f"{theirs}@{k}": f"{ours}@{k}"
    for theirs, ours in (("Success", "hit_rate"), ("R", "recall"))
    for k in (1, 5, 10)
}


@pytest.mark.parametrize("source", ["human", "imagenet"])
def test_ir_measures_reads_qrels_and_runs_and_agrees(finished: Finished, source: str) -> None:
    """The command that docs/metrics.md shows, on the project's own files, whose runs hold every rank."""
    project = finished.project
    output = project.run(
        "ir_measures", f"data/qrels/{source}.qrels", f"data/runs/builtin/{source}.run", " ".join(OUTSIDE),
        "--places", "9",
    )  # fmt: skip
    theirs = dict(line.split() for line in output.splitlines() if "\t" in line)
    ours = json.loads((project.root / "metrics" / "metrics.json").read_text())["builtin"][source]
    assert theirs.keys() == OUTSIDE.keys()
    for name, value in theirs.items():
        assert float(value) == pytest.approx(ours[OUTSIDE[name]], abs=1e-6), name


def test_ranx_reads_qrels_and_runs_and_agrees(finished: Finished) -> None:
    ranx = pytest.importorskip("ranx", reason="ranx is not installed: pip install ranx")
    project = finished.project
    qrels = ranx.Qrels.from_file(str(project.root / "data/qrels/human.qrels"), kind="trec")
    run = ranx.Run.from_file(str(project.root / "data/runs/builtin/human.run"), kind="trec")
    names = {"mrr": "mrr", "hit_rate@5": "hit_rate@5", "recall@5": "recall@5", "ndcg@10": "ndcg@10"}
    theirs = ranx.evaluate(qrels, run, list(names))
    ours = json.loads((project.root / "metrics" / "metrics.json").read_text())["builtin"]["human"]
    for name in names:
        assert theirs[name] == pytest.approx(ours[name], abs=1e-6), name
