# SPDX-License-Identifier: EUPL-1.2
"""Reads a form with files (multipart/form-data, RFC 7578), bounded in bytes, parts and time.

Names of files are never used: a file is known by the name of its field.
"""

import asyncio
from collections.abc import AsyncGenerator

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from broker.console.guard import MAX_FORM
from sluis.errors import InvalidInput

MAX_FILES = 4
MAX_FIELDS = 40
UPLOAD_SECONDS = 60.0


async def read_upload(request: Request, most: int) -> tuple[dict[str, str], dict[str, bytes]]:
    """Read the fields and the files of a form of at most `most` bytes; an empty file is left out.

    Raises InvalidInput `malformed-request`, `message-too-large`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "multipart/form-data":
        raise InvalidInput("malformed-request", "a form with a file is due")
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            parser = MultiPartParser(
                request.headers,
                _bounded(request, most),
                max_files=MAX_FILES,
                max_fields=MAX_FIELDS,
                max_part_size=MAX_FORM,
            )
            form = await parser.parse()
            for name, value in form.multi_items():
                if not isinstance(value, UploadFile):
                    fields[name] = value
                elif content := await value.read():
                    files[name] = content
            await form.close()
    except (MultiPartException, ValueError, KeyError, TimeoutError, ClientDisconnect):
        raise InvalidInput("malformed-request", "the form cannot be read") from None
    return fields, files


async def _bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise InvalidInput("message-too-large", f"a form with files has at most {most} bytes")
        yield chunk
