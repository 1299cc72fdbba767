"""A page shown in the user's browser, where there is one."""

from __future__ import annotations

import click


def open_page(address: str) -> None:
    """Open an address; a machine without a browser gets it told."""
    import webbrowser

    try:
        opened = webbrowser.open(address)
    except webbrowser.Error:
        opened = False
    if not opened:
        click.secho(f"no browser was found here; the page is {address}", fg="yellow", err=True)
