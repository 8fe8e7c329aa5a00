"""The sockets that the runner listens on."""

import asyncio
import socket

from local.runner import bound


def test_answers_are_sent_without_waiting_for_more() -> None:
    async def nodelay(listener: socket.socket) -> int:
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            option = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            accepted.set_result(option)
            writer.close()

        server = await asyncio.start_server(connected, sock=listener)
        async with server:
            _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            option = await accepted
            writer.close()
        return option

    with bound("127.0.0.1", 0) as listener:
        assert asyncio.run(nodelay(listener)) == 1
