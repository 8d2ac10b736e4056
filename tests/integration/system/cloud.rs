//! The user data for hosts in the cloud, as cloud-init does what it says.

use std::fs;

use super::machine::Machine;

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn cloud_init_finds_nothing_wrong_with_the_user_data_and_sets_the_host_up() {
    let machine = Machine::boot();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/cloud/user-data.yaml");
    let package = machine.sh("echo /packages/hostcast_*-1_*.deb");
    let digest = machine.sh(&format!("sha256sum {package} | cut -d ' ' -f 1"));
    let user_data = fs::read_to_string(shipped)
        .unwrap()
        .replace("${name}", "monitor.example.com")
        .replace("${site}", "fra1")
        .replace("${balancer_networks}", "[\"10.0.0.0/24\"]")
        .replace("${package_url}", &format!("file://{package}"))
        .replace("${package_sha256}", &digest);
    fs::write(machine.disk().join("user-data"), user_data).unwrap();
    let told = machine.sh("cloud-init schema --config-file /mnt/disk/user-data 2>&1");
    assert!(told.contains("Valid cloud-config"), "{told}");

    machine.sh("rm /etc/cloud/cloud-init.disabled
         seed=/var/lib/cloud/seed/nocloud && mkdir -p $seed && cp /mnt/disk/user-data $seed
         echo 'instance-id: test' > $seed/meta-data
         # Only what the user data asks for: the image of a cloud has more for cloud-init to do.
         cat > /etc/cloud/cloud.cfg.d/99-test.cfg <<'END'
datasource_list: [NoCloud]
network: {config: disabled}
cloud_init_modules: [write-files]
cloud_config_modules: [runcmd]
cloud_final_modules: [scripts-user]
END
         cloud-init init --local && cloud-init init
         cloud-init modules --mode=config && cloud-init modules --mode=final");
    assert_eq!(machine.property("ActiveState"), "active");
    assert_eq!(machine.property("UnitFileState"), "enabled");
    assert_eq!(machine.http().get("/healthz").status, 200);
    assert_eq!(machine.http().get("/api/v1/status").status, 401);
    machine.sh("grep -q 'site = \"fra1\"' /etc/hostcast/config.toml && test ! -e /run/hostcast.deb");
}
