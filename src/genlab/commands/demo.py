"""A page in the browser to play with runs."""

import logging
import os
import socket
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from omegaconf import DictConfig

from genlab.commands.load import find_checkpoint, load_run
from genlab.commands.machine import quieten
from genlab.config.build import check_config
from genlab.demo.explorer import Explorer
from genlab.errors import UsageError

HOST = "127.0.0.1"
OWN = "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'"  # what a browser may load, and from nowhere else


def demo(cfg: DictConfig) -> None:
    """Serve the page until the process is ended.

    Raises:
        UsageError: if Gradio is missing, if the port is taken, or for a run that is none.
    """
    quieten()
    check_config(cfg)
    if find_spec("gradio") is None:
        raise UsageError('The page needs a package that is not installed: type pip install -e ".[demo]".')
    _check_port(cfg.port)
    names = [cfg.run] if isinstance(cfg.run, str) else list(cfg.run)
    for name in names:  # all of them, before the first is loaded
        find_checkpoint(Path(name))
    explorers = _explorers(names, cfg)
    with TemporaryDirectory(prefix="genlab-demo-") as folder:
        page = start(explorers, folder, cfg.port, cfg.share)
        try:
            page.block_thread()
        finally:
            page.close(verbose=False)  # before its folder is removed


def _explorers(names: list[str], cfg: DictConfig) -> list[Explorer]:
    explorers = []
    for name in names:
        run = load_run(name, cfg.weights, cfg.get("prior"))
        if torch.accelerator.is_available():
            run.model.to(torch.accelerator.current_accelerator())
        title = f"{type(run.model).__name__}, {Path(name).name}"
        explorers.append(Explorer(title, run, cfg.n_sliders, cfg.seed))
    return explorers


def start(explorers: list[Explorer], folder: str, port: int, share: bool = False) -> Any:
    """Serve a page in threads of its own, print its address and return it. Its images lie in a folder meanwhile."""
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": folder}  # read when it is imported
    logging.getLogger("httpx").setLevel(logging.WARNING)  # or each request is a line
    from genlab.demo.page import build_page

    page = build_page(explorers)
    _, address, shared = page.launch(
        server_name=HOST,
        server_port=port,
        share=share,
        prevent_thread_lock=True,
        quiet=True,
        footer_links=[],
        ssr_mode=False,
        head=f'<meta http-equiv="Content-Security-Policy" content="{OWN}">',
    )
    print(shared if share else address, "(Ctrl+C ends it)")
    return page


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UsageError(
                f"port={port} can't be had ({error.strerror}): type another number, as "
                f"port={port + 1 if 1024 <= port < 65535 else 8000}."
            ) from error
