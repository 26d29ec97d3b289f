"""What the brackets say of requests besides their ids. Millions of requests are of few users: what many have in common is kept once."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple


class RequestInfo(NamedTuple):
    """What the brackets say of a request, first come first served. The API's brackets name the user, the others' do not always."""

    global_request_id: str | None = None
    api_project: str | None = None
    api_user: str | None = None
    other_project: str | None = None
    other_user: str | None = None

    def learn(self, global_request_id: str | None, project: str | None, user: str | None, is_api: bool) -> RequestInfo:
        """The same with what another bracket says."""
        known_id, api_project, api_user, other_project, other_user = self
        if global_request_id != "None":
            known_id = known_id or global_request_id
        if is_api:
            return RequestInfo(known_id, api_project or project, api_user or user, other_project, other_user)
        return RequestInfo(known_id, api_project, api_user, other_project or project, other_user or user)

    @property
    def project(self) -> str | None:
        return self.api_project or self.other_project

    @property
    def user(self) -> str | None:
        return self.api_user or self.other_user


NOTHING = RequestInfo()


class Contexts:
    """`RequestInfo` of each request, by its number."""

    def __init__(self) -> None:
        self._of = array("i")  # of each request: which it has of the following
        self._distinct = [NOTHING]
        self._numbers = {NOTHING: 0}

    def __getitem__(self, request: int) -> RequestInfo:
        return self._distinct[self._of[request]] if request < len(self._of) else NOTHING

    def items(self) -> Iterator[tuple[int, RequestInfo]]:
        """The requests of which anything is known, and what."""
        return ((request, self._distinct[number]) for request, number in enumerate(self._of) if number)

    def learn(self, request: int, global_request_id: str | None, project: str | None, user: str | None, is_api: bool) -> None:
        """What the bracket of one of a request's lines says; ``is_api`` if the API wrote it."""
        known = self[request]
        found = known.learn(global_request_id, project, user, is_api)
        if found == known:
            return
        number = self._numbers.get(found)
        if number is None:
            number = self._numbers[found] = len(self._distinct)
            self._distinct.append(found)
        if request >= len(self._of):
            self._of.extend([0] * (request + 1 - len(self._of)))
        self._of[request] = number

    def join(self, request: int, info: RequestInfo) -> None:
        """What another learnt of a request from later lines."""
        self.learn(request, info.global_request_id, info.api_project, info.api_user, True)
        self.learn(request, None, info.other_project, info.other_user, False)
