"""The Hugging Face hub, where a folder goes that is to be shared."""

from importlib.util import find_spec
from pathlib import Path

from genlab.errors import UsageError, one_line
from genlab.export.folder import FILES


def check_push(repository: str) -> None:
    """Raise a UsageError unless a folder can be uploaded under a name, as far as this machine knows."""
    if find_spec("huggingface_hub") is None:
        raise UsageError(
            'push=USER/NAME needs the package huggingface_hub, which is not installed: type pip install -e ".[hub]".'
        )
    from huggingface_hub import get_token
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise UsageError(f"push={repository} is no name on the hub, as USER/NAME: {one_line(error)}") from error
    if "/" not in repository:
        raise UsageError(f"push={repository} names no user: type push=USER/{repository}.")
    if not get_token():
        raise UsageError(
            f"push={repository} needs a token of the Hugging Face hub that may write: put HF_TOKEN=TOKEN into .env, or "
            "type hf auth login once."
        )


def push(folder: Path, repository: str, private: bool) -> str:
    """Upload an exported folder, into a repository that is made if it is not there; return its address.

    Args:
        folder: of which `FILES` alone are uploaded.
        repository: USER/NAME.
        private: whether one that is made is.

    Raises:
        UsageError: if the hub refuses it or can't be reached.
    """
    from huggingface_hub import HfApi

    api = HfApi(library_name="genlab")
    try:
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, allow_patterns=list(FILES))
    except Exception as error:  # of the hub, of its network
        raise UsageError(
            f"{folder} is written, but push={repository} has failed ({one_line(error)}): type the command again with "
            "overwrite=true, or upload the folder by hand."
        ) from error
    return str(address)
