//! Certificates: what their files may be, and how renewed ones take effect.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use hostcast::{
    config::TlsConfig,
    server::{Secrets, Tls, TlsError},
    token::Tokens,
};
use rcgen::KeyPair;
use rustix::process::Signal;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};

use crate::support::{Authority, Heard, Http, Pour, TestDaemon, eventually, program};

fn start(authority: &Authority) -> (TestDaemon, String) {
    authority.issue();
    let folder = authority.folder.path().display();
    let config = format!(
        "sampler.interval = \"100ms\"\n[server.tls]\ncertificate = \"{folder}/certificate.pem\"\nkey = \"{folder}/key.pem\"\n"
    );
    let command = |_: &Path| {
        let mut command = Command::new(program());
        command.stdin(Stdio::null());
        command
    };
    (TestDaemon::launch(&config, command, "127.0.0.1:0"), config)
}

/// Renews a file at one stroke: a look at it in between finds the old one or the new one, and not a part.
fn replace(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, file).unwrap();
}

/// What the daemon says of reading things again.
fn reload(authority: &Authority, daemon: &TestDaemon) -> Value {
    Http::over(authority.wire(&daemon.address), &daemon.address).get("/api/v1/status").json()["reload"].take()
}

#[test]
fn a_renewed_certificate_takes_effect_with_a_reload_and_ends_no_connection() {
    let authority = Authority::new();
    let (daemon, config) = start(&authority);
    let reloads = || {
        let reload = reload(&authority, &daemon);
        (reload["applied"].as_u64().unwrap(), reload["refused"].as_u64().unwrap())
    };
    let served = || authority.served(&daemon.address);
    let mut feed = authority.feed(&daemon.address, "history=none", "hostcast.v1.json");
    feed.hello();
    feed.past();
    let first = feed.live().seq;
    let before = served();
    authority.issue();
    daemon.reload(&config);
    eventually("the reload", || reloads() == (1, 0));
    assert_ne!(served(), before);

    // A key that does not belong to it, and then none at all: the old pair goes on.
    let renewed = served();
    fs::write(authority.folder.path().join("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    daemon.reload(&config);
    eventually("the wrong key is refused", || reloads() == (1, 1));
    fs::remove_file(authority.folder.path().join("key.pem")).unwrap();
    daemon.reload(&config);
    eventually("no key is refused", || reloads() == (1, 2));
    assert_eq!(served(), renewed);
    assert!(feed.live().seq > first);
    daemon.signal(Signal::TERM);
    loop {
        match feed.hear() {
            Heard::Message(_) => {}
            end => {
                assert_eq!(end, Heard::Closed { code: Some(1001) });
                break;
            }
        }
    }
}

#[test]
fn a_renewed_certificate_takes_effect_by_itself_and_half_a_pair_does_not() {
    let authority = Authority::new();
    let (mut daemon, _) = start(&authority);
    let folder = authority.folder.path().to_owned();
    let first = authority.served(&daemon.address);
    let mut feed = authority.feed(&daemon.address, "history=none", "hostcast.v1.json");
    feed.hello();
    feed.past();

    let (certificate, key) = authority.pair();
    replace(&folder.join("certificate.pem"), &certificate);
    let problems = || reload(&authority, &daemon)["problems"].take();
    eventually("half a pair is told of", || problems() != json!([]));
    assert!(problems()[0].as_str().unwrap().starts_with("server.tls: the certificate and the key do not fit"));
    assert_eq!(authority.served(&daemon.address), first, "the old one stays");
    replace(&folder.join("key.pem"), &key);
    eventually("the whole pair is taken", || authority.served(&daemon.address) != first);
    assert_eq!(problems(), json!([]));
    feed.live();

    daemon.signal(Signal::TERM);
    let (_, log) = daemon.wait();
    assert_eq!(log.matches(": the certificate that was in force stays so").count(), 1, "{log}");
    assert_eq!(log.matches("the new certificate is in force").count(), 1, "{log}");
}

/// A server with the pair in this folder, which is looked at when the test says so.
struct Renewing {
    authority: Authority,
    pour: Pour,
    tls: Tls,
}

impl Renewing {
    fn of(authority: Authority, files: &Path) -> Self {
        let config =
            TlsConfig { certificate: files.join("certificate.pem"), key: files.join("key.pem"), client_ca: None };
        let tls = Tls::read(&config).unwrap();
        let pour = Pour::with_secrets(Secrets { tokens: Tokens::default(), tls: Some(tls.clone()) }, |_| {});
        Self { authority, pour, tls }
    }

    /// Looks again: the pair in this folder has to be in force now.
    fn takes(&self, folder: &Path) {
        assert!(matches!(self.tls.renew(), Some(Ok(()))));
        assert!(self.tls.renew().is_none(), "nothing has changed since");
        let there = CertificateDer::from_pem_file(folder.join("certificate.pem")).unwrap();
        assert_eq!(self.authority.served(&self.pour.address), there);
    }
}

#[test]
fn files_may_be_renewed_in_every_way_in_which_that_is_done() {
    let authority = Authority::new();
    let root = authority.folder.path().to_owned();
    let folders = ["one", "two", "three", "four", "five", "live"].map(|name| root.join(name));
    let [one, two, three, four, five, live] = &folders;
    for folder in &folders {
        fs::create_dir(folder).unwrap();
        authority.issue_to(folder);
    }
    let server = Renewing::of(authority, live);
    assert!(server.tls.renew().is_none());
    let each = |take: &dyn Fn(&str)| ["certificate.pem", "key.pem"].iter().for_each(|name| take(name));

    // Written over.
    each(&|name| assert!(fs::copy(one.join(name), live.join(name)).is_ok()));
    server.takes(live);
    // Renamed over.
    each(&|name| fs::rename(one.join(name), live.join(name)).unwrap());
    assert!(matches!(server.tls.renew(), Some(Ok(()))), "the same in other files");
    // Links, as certbot has them: each is set to another file.
    each(&|name| {
        fs::remove_file(live.join(name)).unwrap();
        symlink(two.join(name), live.join(name)).unwrap();
    });
    server.takes(two);
    // Links to a link, which is set to another folder, as Kubernetes has them.
    symlink(three, root.join("..data")).unwrap();
    each(&|name| {
        fs::remove_file(live.join(name)).unwrap();
        symlink(root.join("..data").join(name), live.join(name)).unwrap();
    });
    server.takes(three);
    symlink(four, root.join("..data_tmp")).unwrap();
    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    server.takes(four);
    // The folder itself.
    fs::rename(live, root.join("old")).unwrap();
    fs::rename(five, live).unwrap();
    server.takes(live);
}

#[test]
fn what_cannot_be_used_is_told_once_and_changes_nothing() {
    let authority = Authority::new();
    authority.issue();
    let folder = authority.folder.path().to_owned();
    let server = Renewing::of(authority, &folder);
    let shown = || server.authority.served(&server.pour.address);
    let before = shown();
    let (certificate, key) = server.authority.pair();
    let broken: [(&str, &dyn Fn()); 4] = [
        ("do not fit together", &|| fs::write(folder.join("certificate.pem"), &certificate).unwrap()),
        ("server.tls.key: ", &|| fs::write(folder.join("key.pem"), &key[..key.len() / 2]).unwrap()),
        ("no such file", &|| fs::remove_file(folder.join("key.pem")).unwrap()),
        ("server.tls.certificate: ", &|| fs::write(folder.join("certificate.pem"), "").unwrap()),
    ];
    for (why, break_it) in broken {
        break_it();
        let told: TlsError = server.tls.renew().unwrap().unwrap_err();
        assert!(told.to_string().contains(why), "{told}");
        assert!(server.tls.renew().is_none(), "once");
        assert_eq!(shown(), before);
    }
    fs::write(folder.join("key.pem"), &key).unwrap();
    fs::write(folder.join("certificate.pem"), &certificate).unwrap();
    server.takes(&folder);
}

#[test]
fn files_that_cannot_be_used_are_told_in_one_line_without_what_is_in_them() {
    let authority = Authority::new();
    authority.issue();
    let folder = authority.folder.path();
    let told = |certificate: &str, key: &str| {
        let config = TlsConfig { certificate: folder.join(certificate), key: folder.join(key), client_ca: None };
        Tls::read(&config).unwrap_err().to_string().replace(folder.to_str().unwrap(), "DIR")
    };
    assert_eq!(told("none.pem", "key.pem"), "server.tls.certificate: DIR/none.pem: no such file");
    assert_eq!(told("key.pem", "key.pem"), "server.tls.certificate: DIR/key.pem: no such thing is in it, in PEM");
    fs::write(folder.join("bad.pem"), "-----BEGIN PRIVATE KEY-----\nc2VjcmV0!\n-----END PRIVATE KEY-----\n").unwrap();
    assert_eq!(told("certificate.pem", "bad.pem"), "server.tls.key: DIR/bad.pem: not valid PEM");
    fs::write(folder.join("other.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(
        told("certificate.pem", "other.pem")
            .starts_with("server.tls: the certificate and the key do not fit together: ")
    );
}
