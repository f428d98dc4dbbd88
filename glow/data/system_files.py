"""The files and folders that operating systems and programs add to folders of pictures."""

SYSTEM_NAMES = frozenset(
    (
        *("$recycle.bin", "recycler", "system volume information", "desktop.ini"),  # Windows
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "zbthumbnail.info"),
        *("__macosx", "icon\r", "network trash folder", "temporary items"),  # macOS
        *("@eadir", "@recycle", "@__thumb", "#recycle", "#snapshot"),  # storage servers
        *("lost+found", "picasa.ini", "__pycache__"),
    )
)


def is_system_name(name: str) -> bool:
    """Return whether a file or folder of this name belongs to a system, or is hidden.

    >>> [is_system_name(name) for name in ("__MACOSX", "._cat.jpg", "THUMBS.DB", "cat.jpg")]
    [True, True, True, False]
    """
    return name.startswith((".", "~$")) or name.lower() in SYSTEM_NAMES
