import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from glow.data.download import download_once


def test_nothing_is_written_if_nothing_is_absent(tmp_path: Path) -> None:
    download_once(pytest.fail, tmp_path / "data" / "x.lock", absent=False)
    assert not list(tmp_path.iterdir())


def test_the_lock_file_is_removed_after_the_download(tmp_path: Path) -> None:
    lock_path = tmp_path / "data" / "x.lock"
    existed = []
    download_once(lambda: existed.append(lock_path.exists()), lock_path, absent=True)
    assert existed == [True]
    assert not lock_path.exists()


def test_files_of_a_failed_download_are_not_trusted(tmp_path: Path) -> None:
    def fail() -> None:
        raise OSError("no route to host")

    with pytest.raises(OSError, match="no route to host"):
        download_once(fail, tmp_path / "x.lock", absent=True)
    downloaded = []
    download_once(lambda: downloaded.append(1), tmp_path / "x.lock", absent=False)
    assert downloaded == [1]
    download_once(pytest.fail, tmp_path / "x.lock", absent=False)


def test_one_process_at_a_time_downloads(tmp_path: Path) -> None:
    running = threading.Lock()

    def download() -> None:
        assert running.acquire(blocking=False)
        time.sleep(0.05)
        running.release()

    with ThreadPoolExecutor(4) as pool:
        for future in [
            pool.submit(download_once, download, tmp_path / "x.lock", absent=True) for _ in range(4)
        ]:
            future.result()


def test_a_folder_that_cannot_be_written_to_needs_no_lock(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    downloaded = []
    download_once(lambda: downloaded.append(1), tmp_path / "file" / "x.lock", absent=True)
    assert downloaded == [1]
