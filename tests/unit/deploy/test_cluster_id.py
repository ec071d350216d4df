"""The id of an Apache Kafka cluster: taken on a command line, so never for an option."""

from base64 import urlsafe_b64decode

from deploy.local.apache.node import cluster_id


def test_it_is_a_uuid_that_no_command_takes_for_an_option() -> None:
    made = [cluster_id() for _ in range(2_000)]
    assert not [one for one in made if one.startswith("-")]
    assert {len(urlsafe_b64decode(one + "==")) for one in made} == {16}
