import os

from cleanroom.daemon.gateway_process import GATEWAY_ID, launch_of


def test_it_is_given_its_sockets_and_nothing_of_the_daemons_environment() -> None:
    launch = launch_of(5, 6)
    assert launch.pass_fds == (5, 6)
    words = launch.argv[launch.argv.index("cleanroom.gateway_main") + 1 :]
    who = (str(GATEWAY_ID), str(GATEWAY_ID)) if os.geteuid() == 0 else ()
    assert words == ("5", "6", *who)
    names = {name for name in launch.environment if not name.startswith("MALLOC_")}
    assert names == {"LANG", "PYTHONPATH"}
