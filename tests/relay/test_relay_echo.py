"""What a provider was let in with is never told to clients, even if it echoes it."""

from tests.relay.scene import Scene
from tests.upstream.hosts import event, plays, says
from tests.upstream.scenery import credential


async def test_an_error_inside_a_stream_that_echoes_the_credential_is_told_without_it() -> None:
    secret = credential("a").secret.reveal()
    echo = event(error={"message": f"Authorization: Bearer {secret}", "code": secret})
    heard = await Scene(a=plays(says("one "), echo)).stream()
    assert heard.last["error"]["message"] == "Authorization: Bearer …"
    assert secret not in b"".join(heard.writes).decode()
