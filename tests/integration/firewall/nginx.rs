//! nginx as it is shipped, but for its login: TLS, and a path in front of the daemon's own.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command},
};

use rustix::process::{Pid, Signal, kill_process};

use super::Authority;
use crate::support::{
    Pour, eventually, program,
    recorder::{Recorder, accounts_for, target},
    skipped,
};

const SHIPPED: &str = include_str!("../../../packaging/proxy/nginx.conf");

struct Nginx(Child);

impl Nginx {
    /// Where a system has it, or where `scripts/setup` has unpacked it.
    fn program() -> Option<PathBuf> {
        let cache = env::var_os("HOSTCAST_TEST_CACHE").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache/hostcast-test")));
        let path = env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<_> = env::split_paths(&path).collect();
        folders.extend(["/usr/sbin".into(), "/usr/local/sbin".into()]);
        folders.extend(cache.map(|cache| cache.join("servers")));
        folders.into_iter().map(|folder| folder.join("nginx")).find(|nginx| nginx.is_file())
    }

    fn start(authority: &Authority, address: SocketAddr, upstream: SocketAddr) -> Option<Self> {
        let Some(program) = Self::program() else {
            skipped("no nginx");
            return None;
        };
        authority.certify("localhost");
        let folder = authority.folder.path().display();
        let site = [
            ("listen 443 ssl", format!("listen {address} ssl")),
            ("/etc/ssl/certs/monitor.example.com.pem", format!("{folder}/localhost.pem")),
            ("/etc/ssl/private/monitor.example.com.key", format!("{folder}/localhost.key")),
            ("    auth_basic \"hostcast\";\n", String::new()),
            ("    auth_basic_user_file /etc/nginx/hostcast.htpasswd;\n", String::new()),
            ("http://127.0.0.1:7117/", format!("http://{upstream}/")),
        ];
        let site = site.iter().fold(SHIPPED.to_owned(), |site, (shipped, here)| {
            assert!(site.contains(shipped), "{shipped}");
            site.replace(shipped, here)
        });
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|kind| format!("{kind}_temp_path {folder}/{kind};\n")).concat();
        // Its workers would be another user's, who cannot see this folder.
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let file = authority.file("nginx.conf");
        let config = format!(
            "daemon off; pid {folder}/pid; error_log {folder}/log; worker_shutdown_timeout 100ms; {user}\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}\n{site}\n}}\n"
        );
        fs::write(&file, config).unwrap();
        let mut command = Command::new(program);
        let nginx = Self(command.arg("-c").arg(file).arg("-e").arg(authority.file("log")).spawn().unwrap());
        eventually("nginx listens", || TcpStream::connect(address).is_ok());
        Some(nginx)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killed, it would leave its workers behind.
        self.signal(Signal::TERM);
        let _ = self.0.wait();
    }
}

#[test]
fn nginx_with_tls_and_a_path_is_recorded_through_and_its_reload_costs_nothing() {
    let pour = Pour::new();
    pour.publish(50);
    let authority = Authority::new();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let Some(nginx) = Nginx::start(&authority, address, pour.address.tcp()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    command.env_clear().args(["record", &target("web-1", &format!("wss://localhost:{}/hostcast/", address.port()))]);
    command.arg("--ca-file").arg(authority.file("ca.pem")).arg("--output").arg(folder.path());
    let mut recorder = Recorder::run(&mut command, folder.path());
    recorder.wait_for("web-1", 50);
    pour.publish(50);
    recorder.wait_for("web-1", 100);
    // Its old workers break off what they have after a while.
    nginx.signal(Signal::HUP);
    eventually("the connection is lost", || recorder.log().contains("again in"));
    pour.publish(50);
    recorder.wait_for("web-1", 150);
    assert_eq!(recorder.stop(), Some(0));
    let report = accounts_for(&folder.path().join("web-1"), &pour);
    assert!(report.is_whole() && report.samples == 150, "{report:?}");
}
