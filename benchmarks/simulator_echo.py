"""A bare aiohttp server: answers a request with its own body, tells every socket what it is told.

    python -m benchmarks.simulator_echo

What the simulator is compared with, under the same load on the same core.
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop
from aiohttp import WSMsgType, web


def main() -> None:
    uvloop.run(serve())


async def serve() -> None:
    sockets: set[web.WebSocketResponse] = set()

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), content_type="application/json")

    async def tell(request: web.Request) -> web.Response:
        text = await request.text()
        for each in list(sockets):
            await each.send_str(text)
        return web.json_response({"code": "0"})

    async def listen(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sockets.add(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
        sockets.discard(socket)
        return socket

    application = web.Application()
    application.router.add_get("/ws/v5/private", listen)
    application.router.add_post("/tell", tell)
    application.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    base = f"127.0.0.1:{runner.addresses[0][1]}"
    addresses = {"rest": f"http://{base}", "ws": {"private": f"ws://{base}/ws/v5/private"}}
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
