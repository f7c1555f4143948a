"""The same client with everything taken off that can be: no cookies, orjson, no compression."""

from __future__ import annotations

import ssl

import aiohttp
import orjson

from benchmarks.fan.sides import bare


class Side(bare.Side):
    async def open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self.terms.connections, ssl=ssl.create_default_context()
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            json_serialize=lambda value: orjson.dumps(value).decode(),
        )

    async def send(self, account: int, number: int, expires: str) -> bool:
        body = bare.order_body(account, number)
        async with self.session.post(
            self.terms.rest + bare.PLACE, data=body, headers=bare.signed(account, body, expires)
        ) as answer:
            told = orjson.loads(await answer.read())
        return bool(told["data"][0]["sCode"] == "0")
