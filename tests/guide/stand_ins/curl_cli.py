"""``curl -s [-H HEADER] URL``: the body of a GET, whatever its status. The URL's port leads to the test's gateway."""

from __future__ import annotations

import http.client
import os
import sys
from urllib.parse import urlsplit


def main() -> None:
    """Ask and print."""
    words, headers, urls = iter(sys.argv[1:]), {}, []
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(":")
            headers[name] = value.strip()
        elif word.startswith("http://"):
            urls.append(urlsplit(word))
        elif word != "-s":
            sys.exit(f"this stand-in knows -s and -H; it was given: {word}")
    (url,) = urls
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["GUIDE_GATEWAY_PORT"]), timeout=60)
    connection.request("GET", url.path, headers={"Host": url.netloc, "Accept": "*/*"} | headers)
    sys.stdout.buffer.write(connection.getresponse().read())


main()
