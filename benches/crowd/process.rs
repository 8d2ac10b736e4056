//! A child process: talked to by its pipes, watched from `/proc`, and ended with its handle.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a child has no pipes"));
        };
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// This same program in one of its roles.
    pub(crate) fn role<T: ToString>(role: &str, arguments: impl IntoIterator<Item = T>) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(role).args(arguments.into_iter().map(|argument| argument.to_string()));
        Self::start(command)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(io::Error::other("a child ended before its time"));
        }
        Ok(line.trim_end().to_owned())
    }

    /// Says a line and returns the one that answers it.
    pub(crate) fn ask(&mut self, line: &str) -> io::Result<String> {
        writeln!(self.input, "{line}")?;
        self.line()
    }

    /// The same, where the answer is numbers.
    pub(crate) fn ask_figures<const N: usize>(&mut self, line: &str) -> io::Result<[f64; N]> {
        writeln!(self.input, "{line}")?;
        self.figures()
    }

    /// A line of numbers.
    pub(crate) fn figures<const N: usize>(&mut self) -> io::Result<[f64; N]> {
        let line = self.line()?;
        let figures: Vec<f64> = line.split(' ').filter_map(|figure| figure.parse().ok()).collect();
        figures.try_into().map_err(|_| io::Error::other(format!("{N} numbers should be in {line:?}")))
    }

    /// CPU time of all threads, its children's too, in microseconds: the scheduler's own count, not ticks.
    pub(crate) fn cpu_us(&self) -> io::Result<f64> {
        let mut nanos = 0.0;
        for pid in self.family()? {
            for task in fs::read_dir(format!("/proc/{pid}/task"))? {
                let text = fs::read_to_string(task?.path().join("schedstat"))?;
                nanos += text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0);
            }
        }
        Ok(nanos / 1e3)
    }

    /// Resident memory, its children's too; what several processes share is divided among them.
    pub(crate) fn resident_kib(&self) -> io::Result<f64> {
        let of = |pid: &u32| kibibytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:");
        self.family()?.iter().map(of).sum()
    }

    /// The most that was ever resident.
    pub(crate) fn peak_resident_kib(&self) -> io::Result<f64> {
        kibibytes(&format!("/proc/{}/status", self.pid()), "VmHWM:")
    }

    /// From now on that counts anew.
    pub(crate) fn forget_peak(&self) -> io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5")
    }

    /// This process and its children.
    fn family(&self) -> io::Result<Vec<u32>> {
        let pid = self.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        Ok(std::iter::once(pid).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked and not killed, since nginx has children to end. It may have ended by itself.
        if let Some(pid) = Pid::from_raw(self.pid().cast_signed()) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

fn kibibytes(path: &str, key: &str) -> io::Result<f64> {
    let text = fs::read_to_string(path)?;
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.trim().trim_end_matches(" kB").parse().ok());
    value.ok_or_else(|| io::Error::other(format!("{path} has no {key}")))
}

/// How many connections of the server at `address` have bytes that their client's kernel does not
/// take, and how many bytes that is together.
pub(crate) fn unsent(address: SocketAddr) -> io::Result<(usize, u64)> {
    let port = format!(":{:04X}", address.port());
    let text = fs::read_to_string("/proc/net/tcp")?;
    let queues = text.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, _remote, _state, queues) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let queue = u64::from_str_radix(queues.split(':').next()?, 16).ok()?;
        (local.ends_with(&port) && queue > 0).then_some(queue)
    });
    Ok(queues.fold((0, 0), |(count, bytes), queue| (count + 1, bytes + queue)))
}
