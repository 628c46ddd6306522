"""The store's port for how cameras stand and look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.ports_store import SavedCalibration
from tocsin.stores import schema
from tocsin.stores.statements import put_version
from tocsin.wire import calibration_codec


def _saved(row: Any) -> SavedCalibration:
    calibration = calibration_codec.load(row.body)
    return SavedCalibration(row.watcher, row.camera, calibration, row.version, row.saved_by, row.saved_at)


class SqlCalibrationBook:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._known: set[tuple[str, str]] | None = None

    async def foresee(self) -> None:
        """Reads which cameras were ever calibrated: of the others nothing is asked."""
        table = schema.calibrations
        rows = await self._connection.execute(select(table.c.watcher, table.c.camera))
        self._known = {(row.watcher, row.camera) for row in rows}

    async def get(self, watcher: str, camera: str) -> SavedCalibration:
        if self._known is not None and (watcher, camera) not in self._known:
            return SavedCalibration(watcher, camera)
        table = schema.calibrations
        rows = await self._connection.execute(
            select(table).where(table.c.watcher == watcher, table.c.camera == camera)
        )
        row = rows.first()
        return SavedCalibration(watcher, camera) if row is None else _saved(row)

    async def all(self) -> Sequence[SavedCalibration]:
        table = schema.calibrations
        rows = await self._connection.execute(select(table).order_by(table.c.watcher, table.c.camera))
        return [_saved(row) for row in rows]

    async def put(self, saved: SavedCalibration) -> bool:
        assert saved.calibration is not None
        self._known = None
        row = {
            "watcher": saved.watcher,
            "camera": saved.camera,
            "version": saved.version,
            "body": calibration_codec.dump(saved.calibration),
            "saved_by": saved.by,
            "saved_at": saved.at,
        }
        return await put_version(self._connection, schema.calibrations, row)
