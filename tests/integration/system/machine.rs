//! A Debian that systemd runs, in a container: booted for one test, and gone with it.

use std::{
    env,
    fs::{self, File},
    net::SocketAddr,
    os::{fd::AsFd as _, unix::net::UnixDatagram},
    path::{Path, PathBuf},
    process::{self, Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use rustix::{
    process::{Pid, Signal, kill_process},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use crate::support::{Address, Feed, Http, PATIENCE, Wire};

/// Where the service listens in the machine, which has a loopback of its own.
pub(super) const SERVICE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7117);

/// A booted machine. Its file system is that of [`root`] with a layer over it that is dropped with the machine.
pub(super) struct Machine {
    nspawn: Child,
    leader: Pid,
    /// A folder of this host's disk, which is `/mnt/disk` in the machine.
    disk: tempfile::TempDir,
}

impl Machine {
    /// Boots one, and returns when it is up.
    pub(super) fn boot() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let disk = tempfile::tempdir_in(packages()).unwrap();
        let notify = disk.path().join("notify");
        let socket = UnixDatagram::bind(&notify).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let console = disk.path().join("console");
        let output = File::create(&console).unwrap();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let nspawn = Command::new("systemd-nspawn")
            .args(["--register=no", "--keep-unit", "--boot", "--console=pipe", "--link-journal=no"])
            .args(["--read-only", "--volatile=overlay", "--private-network", "--notify-ready=yes"])
            .arg(format!("--machine=hostcast-test-{}-{count}", process::id()))
            .arg(format!("--directory={}", root().display()))
            .arg(format!("--bind-ro={}:/packages", packages().display()))
            .arg(format!("--bind={}:/mnt/disk", disk.path().display()))
            .env("NOTIFY_SOCKET", &notify)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut leader = None;
        let mut message = [0; 4096];
        loop {
            let Ok(length) = socket.recv(&mut message) else {
                panic!("the machine does not boot:\n{}", fs::read_to_string(&console).unwrap());
            };
            let message = str::from_utf8(&message[..length]).unwrap();
            leader =
                leader.or(message.lines().find_map(|line| line.strip_prefix("X_NSPAWN_LEADER_PID=")?.parse().ok()));
            if message.lines().any(|line| line == "READY=1") {
                break;
            }
        }
        let leader = Pid::from_raw(leader.expect("nspawn has told of its leader")).unwrap();
        Self { nspawn, leader, disk }
    }

    /// One on which this revision of the package is installed, with this configuration.
    pub(super) fn with_service(config: &str) -> Self {
        let machine = Self::boot();
        machine.install(1);
        machine.configure(config);
        machine
    }

    /// Installs this revision of the package.
    pub(super) fn install(&self, revision: u32) {
        self.sh(&format!("DEBIAN_FRONTEND=noninteractive dpkg --install /packages/hostcast_*-{revision}_*.deb"));
    }

    /// Writes the configuration, as an operator with an editor would.
    pub(super) fn configure(&self, config: &str) {
        assert!(!config.contains('\''));
        self.sh(&format!("printf %s '{config}' > /etc/hostcast/config.toml"));
    }

    /// Changes the unit, as `systemctl edit` would.
    pub(super) fn edit_unit(&self, lines: &str) {
        let folder = "/etc/systemd/system/hostcast.service.d";
        self.sh(&format!("mkdir -p {folder} && printf '{lines}' > {folder}/test.conf && systemctl daemon-reload"));
    }

    /// Runs a script as root in the machine, which has to succeed, and returns what it wrote.
    pub(super) fn sh(&self, script: &str) -> String {
        let output = self.try_sh(script);
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {}\n{text}{errors}", output.status);
        text.trim_end().to_owned()
    }

    /// The same for one that may fail.
    pub(super) fn try_sh(&self, script: &str) -> Output {
        let limit = PATIENCE.as_secs().to_string();
        self.enter(&["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"])
            .args(["timeout", &limit, "sh", "-ec", script])
            .output()
            .unwrap()
    }

    /// Runs a program of this host on the network of the machine.
    pub(super) fn on_network(&self, program: &[&str]) {
        let output = self.enter(&["--net"]).args(program).output().unwrap();
        assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn enter(&self, namespaces: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.leader)).args(namespaces).arg("--").stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        command
    }

    /// Does something on a thread that is on the machine's network: sockets stay where they were made.
    pub(super) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/proc/{}/ns/net", self.leader)).unwrap();
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            worker.join().unwrap()
        })
    }

    /// A connection to a port of the machine's loopback.
    pub(super) fn connect(&self, address: SocketAddr) -> Wire {
        self.within(|| Address::Tcp(address).connect())
    }

    pub(super) fn http(&self) -> Http {
        Http::over(self.connect(SERVICE), &Address::Tcp(SERVICE))
    }

    pub(super) fn feed(&self, query: &str) -> Feed {
        Feed::over(self.connect(SERVICE), &Address::Tcp(SERVICE), query, &["hostcast.v1.json"])
    }

    /// A property of the service, as systemd knows it.
    pub(super) fn property(&self, name: &str) -> String {
        self.sh(&format!("systemctl show --value --property={name} hostcast.service"))
    }

    /// The folder on this host that is `/mnt/disk` in the machine.
    pub(super) fn disk(&self) -> &Path {
        self.disk.path()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Everything in the machine dies with its first process, and nspawn ends then.
        let _ = kill_process(self.leader, Signal::KILL);
        let _ = self.nspawn.wait();
    }
}

/// The folder that machines boot from.
fn root() -> PathBuf {
    variable("HOSTCAST_TEST_ROOT")
}

/// The folder with the packages, of two revisions.
fn packages() -> PathBuf {
    variable("HOSTCAST_TEST_PACKAGES")
}

fn variable(name: &str) -> PathBuf {
    env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: run make test-system")).into()
}
