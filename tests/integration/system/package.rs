//! What the packages do to a host, and what they leave alone.

use super::machine::Machine;

/// Not what the package brings.
const EDITED: &str = "# edited\n[sampler]\ninterval = \"100ms\"\n";

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn installing_starts_nothing_and_enabling_starts_it() {
    let machine = Machine::boot();
    machine.install(1);
    assert_eq!(machine.property("ActiveState"), "inactive");
    assert_eq!(machine.property("UnitFileState"), "disabled");
    assert_eq!(machine.sh("systemctl is-enabled hostcast.socket || true"), "disabled");
    machine.sh("hostcast check");

    machine.sh("systemctl enable --now hostcast");
    assert_eq!(machine.property("UnitFileState"), "enabled");
    // It is ready, so there is something to serve.
    assert_eq!(machine.http().get("/healthz").status, 200);
    assert_eq!(machine.sh("ps -o user= -C hostcast || stat -c %U /proc/$(pidof hostcast)"), "hostcast");
}

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn an_upgrade_keeps_an_edited_configuration_and_restarts_what_runs() {
    let machine = Machine::with_service(EDITED);
    machine.install(2);
    assert_eq!(machine.property("ActiveState"), "inactive");

    machine.sh("systemctl enable --now hostcast");
    let before = machine.property("MainPID");
    machine.install(1);
    assert_eq!(machine.sh("cat /etc/hostcast/config.toml"), EDITED.trim_end());
    assert_ne!(machine.property("MainPID"), before);
    assert_eq!(machine.http().get("/healthz").status, 200);
}

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn removing_keeps_configuration_and_state_and_purging_deletes_both() {
    let machine = Machine::with_service(EDITED);
    machine.sh("systemctl enable --now hostcast && touch /var/lib/hostcast/precious");
    machine.sh("dpkg --remove hostcast");
    assert_eq!(machine.sh("pidof hostcast || echo none"), "none");
    machine.sh("test -e /var/lib/hostcast/precious && grep edited /etc/hostcast/config.toml");
    assert!(!machine.try_sh("command -v hostcast").status.success());

    machine.sh("dpkg --purge hostcast");
    assert_eq!(machine.sh("find / -xdev -name '*hostcast*' -not -path '/proc/*'"), "");
    assert_eq!(machine.sh("systemctl list-units --all --full 'hostcast*' --no-legend"), "");
}

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn the_rpm_does_what_the_deb_does() {
    let machine = Machine::boot();
    // Debian's rpm knows nothing of what dpkg has installed.
    let rpm = |arguments: &str| machine.sh(&format!("rpm --nodeps {arguments}"));
    rpm("--install /packages/hostcast-*-1.*.rpm");
    assert_eq!(machine.property("UnitFileState"), "disabled");
    machine.configure(EDITED);
    machine.sh("systemctl enable --now hostcast && touch /var/lib/hostcast/precious");
    let before = machine.property("MainPID");

    rpm("--upgrade /packages/hostcast-*-2.*.rpm");
    assert_eq!(machine.sh("cat /etc/hostcast/config.toml"), EDITED.trim_end());
    assert_ne!(machine.property("MainPID"), before);
    assert_eq!(machine.http().get("/healthz").status, 200);

    rpm("--erase hostcast");
    assert_eq!(machine.sh("pidof hostcast || echo none"), "none");
    machine.sh("test -e /var/lib/hostcast/precious && grep edited /etc/hostcast/config.toml.rpmsave");
    assert_eq!(machine.sh("find /etc/systemd -name 'hostcast*'"), "");
}
