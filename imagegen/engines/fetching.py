"""Where a pipeline's files are: a local folder, or one of the Hub's cache, downloaded with its size said first."""

import re
from collections.abc import Callable, Collection
from pathlib import Path

from imagegen.engines.folders import INDEX, parts_of, weights_of
from imagegen.errors import CheckpointError

__all__ = ["find_pipeline"]

TEXTS = (".json", ".txt", ".model")
"""Configs, vocabularies and merges, and SentencePiece's models; never code."""
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)


def find_pipeline(given: str, half: bool, say: Callable[[str], None]) -> tuple[str, Path]:
    """Name and folder of `DIR_OR_ID[@REVISION]`, downloaded if it is an id.

    Args:
        half: take the weights in half precision, where there are some.
        say: is told of a download before it begins.

    Raises:
        CheckpointError: there is no such folder or id, or the Hub cannot be reached.
    """
    if Path(given).is_dir():
        folder = Path(given).resolve()
        return re.sub(r"^\W+|[^\w.-]+", "-", folder.name, flags=re.ASCII).strip("-.") or "pipeline", folder
    name, _, revision = given.partition("@")
    if not _HUB_ID.fullmatch(name):
        raise CheckpointError("{given} is neither a folder nor the id of a model on the Hub.", given=repr(given))
    return name, _download(name, revision or None, half, say)


def _download(name: str, revision: str | None, half: bool, say: Callable[[str], None]) -> Path:
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        info = HfApi().model_info(name, revision=revision, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        if INDEX not in sizes:
            raise CheckpointError("{name} is no pipeline of diffusers: it has no readable model_index.json.", name=name)
        _, parts = parts_of(Path(hf_hub_download(name, INDEX, revision=info.sha)).parent)
        wanted = _wanted(name, sizes, parts, half)
        size = sum(sizes[file] for file in wanted) / 1e6
        say(
            f"{name}: {len(wanted)} files of {size:,.1f} MB from the Hub; what is in its cache is not downloaded again."
        )
        # by the name that was given, not by info.sha: without network the cache is asked for that name
        return Path(snapshot_download(name, revision=revision, allow_patterns=wanted))
    except GatedRepoError:
        raise CheckpointError(
            "{name} is gated: accept its terms on its page of the Hub, and sign in with `hf auth login`.", name=name
        ) from None
    except RevisionNotFoundError:
        raise CheckpointError("{name} has no revision {revision}.", name=name, revision=repr(revision)) from None
    except RepositoryNotFoundError:
        raise CheckpointError("There is no {name}, neither as a folder nor on the Hub.", name=repr(name)) from None
    except CheckpointError:
        raise
    except Exception as problem:  # of whichever HTTP library the Hub's own is built on
        try:
            return _cached(name, revision, half)
        except LocalEntryNotFoundError:
            raise CheckpointError(
                "The Hub cannot be reached, and {name} is not in its cache: {problem}",
                name=name,
                problem=str(problem).partition("\n")[0],
            ) from None


def _cached(name: str, revision: str | None, half: bool) -> Path:
    """The same files, of the cache; what else is on the Hub need not be there."""
    from huggingface_hub import get_cached_repo_tree, hf_hub_download, snapshot_download
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    folder = Path(hf_hub_download(name, INDEX, revision=revision, local_files_only=True)).parent
    try:
        files = [file.path for file in get_cached_repo_tree(name, revision=revision)]
    except CachedRepoTreeNotFoundError:  # an older version of the library downloaded it
        return folder
    wanted = _wanted(name, files, parts_of(folder)[1], half)
    return Path(snapshot_download(name, revision=revision, allow_patterns=wanted, local_files_only=True))


def _wanted(name: str, files: Collection[str], parts: Collection[str], half: bool) -> list[str]:
    weights, _ = weights_of(name, files, parts, half)
    texts = [file for file in files if file.partition("/")[0] in parts and file.endswith(TEXTS)]
    return [INDEX, *texts, *weights]
