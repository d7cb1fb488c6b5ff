"""Beginnings of hooks that reach for the network."""

FETCH = """
def hook(event, context):
    answer = context.http.get(event)
    return [answer.status, answer.json()["path"]]
"""

TRY = """
def attempt(action):
    try:
        return ["worked", str(action())]
    except Exception as error:
        return [type(error).__name__, str(error)]
"""

RAW = (
    TRY
    + """
import _socket, socket

def raw(address, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
    # Past everything that Python code of ours could check.
    connecting = _socket.socket(family, kind, protocol)
    connecting.setblocking(True)
    connecting.connect(address)
    connecting.sendall(b"GET /raw HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n")
    import select
    select.select([connecting], [], [], 2)
    return connecting.recv(300)
"""
)
