"""Sends a preset folder to the Hugging Face Hub. TensorFlow is loaded to try the preset first."""

import dataclasses
import re
from pathlib import Path

from keras_infomodels.io import printable
from keras_infomodels.preset_files import fingerprint, problem_of, read_json, read_text
from keras_infomodels.zoo.download import DownloadError
from keras_infomodels.zoo.hub import repository_of
from keras_infomodels.zoo.registry import file_names

__all__ = ["Upload", "check", "find_warnings", "send"]


@dataclasses.dataclass(frozen=True)
class Upload:
    """Files and destination of an upload by `send`.

    Attributes:
        folder: Path. Folder of the preset.
        repository: str. OWNER/NAME on the Hub.
        files: dict from name to {"sha256": ..., "bytes": ...}.
        warnings: list of str. Problems that the owner may want to fix first.
    """

    folder: Path
    repository: str
    files: dict[str, dict]
    warnings: list[str]

    def __str__(self) -> str:
        width = max(map(len, self.files))
        lines = [f"To https://huggingface.co/{self.repository}, as one commit:"]
        lines += [
            f"  {name:{width}} {facts['bytes']:>11,} bytes  SHA-256 {facts['sha256'][:12]}..."
            for name, facts in self.files.items()
        ]
        total = sum(facts["bytes"] for facts in self.files.values())
        lines.append(f"{len(self.files)} files, {total / 1e6:.1f} MB.")
        return "\n".join([*lines, *self.warnings])


def check(folder: str | Path, address: str) -> Upload:
    """Returns what `send` would upload, after loading the preset as a test.

    Args:
        folder: str or Path. Folder of a preset or of a training run.
        address: str. hf://OWNER/NAME.

    Raises:
        FileNotFoundError: If the folder is not a preset.
        ValueError: If the preset cannot be loaded, or `address` has another form.
    """
    folder, repository = Path(folder).expanduser(), repository_of(address)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"{folder} is no preset folder: it has no config.json. `infomodels train` and "
            "save_to_preset write one."
        )
    if problem := problem_of(folder):
        raise ValueError(f"{folder} is damaged: {problem}. Save the model again.")
    from keras_infomodels.presets import from_preset

    from_preset(folder)
    files = {name: fingerprint(folder, name) for name in file_names(folder)}
    return Upload(folder, repository, files, find_warnings(folder))


def find_warnings(folder: Path) -> list[str]:
    """Returns what the owner of a preset may want to mend before others get it.

    Args:
        folder: Path. Folder of the preset.

    Returns:
        list of str. A sentence each on a missing card or license and on a path in metadata.json.
    """
    found = []
    if not (folder / "README.md").is_file():
        found.append("There is no README.md: the page of the preset will be empty.")
    elif not _states_license(read_text(folder, "README.md")):
        found.append(
            "README.md states no license, so nobody may use the model: put a line such as "
            "`license: apache-2.0` between the lines of `---` at its top."
        )
    training = read_json(folder, "metadata.json").get("training")
    data = training.get("dataset") if isinstance(training, dict) else None
    # A path that begins at the top names the user and the machine.
    if isinstance(data, str) and re.match(r"[/~]|[A-Za-z]:", data):
        found.append(
            f"Its files name the folder of your data, {printable(data)}. If that is nobody's "
            "business, train on a path such as ./photos."
        )
    return found


def _states_license(card: str) -> bool:
    front = card[4:].partition("\n---\n")[0] if card.startswith("---\n") else ""
    return re.search(r"^license:", front, re.MULTILINE) is not None


def send(upload: Upload, private: bool = False) -> str:
    """Creates the repository if it does not exist, and uploads the files as one commit.

    The account is that of `hf auth login`, or of the variable HF_TOKEN.

    Args:
        upload: `Upload`. Result of `check`.
        private: bool. `True` makes a new repository private.

    Returns:
        hf://OWNER/NAME@COMMIT, which `from_preset` takes.

    Raises:
        ImportError: If huggingface_hub is not installed.
        DownloadError: If the Hub refuses the upload.
    """
    try:
        from huggingface_hub import CommitOperationAdd, HfApi
    except ImportError as error:
        raise ImportError(
            "Publishing needs huggingface_hub: pip install 'keras-infomodels[hub]'."
        ) from error
    api = HfApi(library_name="keras-infomodels")
    try:
        api.create_repo(upload.repository, exist_ok=True, private=private)
        commit = api.create_commit(
            upload.repository,
            [CommitOperationAdd(name, upload.folder / name) for name in upload.files],
            commit_message=f"Publish {upload.folder.resolve().name}",
        )
    except Exception as error:  # The client's errors are those of the HTTP library below it.
        reasons = dict.fromkeys(map(str, filter(None, (error, error.__cause__))))
        reason = printable(": ".join(reasons))
        # Only an answer of the Hub has a response.
        if getattr(error, "response", None) is None:
            raise DownloadError(
                f"There is no connection to the Hub: {reason}. Check the network and try again."
            ) from error
        raise DownloadError(
            f"The Hub did not take {upload.repository}: {reason} (log in with `hf auth login`, or "
            "set HF_TOKEN to a token that may write there)"
        ) from error
    return f"hf://{upload.repository}@{commit.oid}"
