//! The loop of the terminal: takes in what comes, and draws when there is something new to be seen.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use ratatui::crossterm::event::{self, Event};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
    time::sleep_until,
};

use super::{
    Heard, WatchError,
    keys::{Wish, wish},
    model::Model,
    terminal::Screen,
    view,
};

/// No two pictures follow each other faster.
const FRAME: Duration = Duration::from_millis(100);
/// Ages and countdowns are drawn so often when nothing else happens.
const IDLE: Duration = Duration::from_secs(1);

/// Shows the hosts until the viewer or a signal ends it.
pub(super) async fn show(
    names: Vec<String>,
    mut heard: mpsc::Receiver<Heard>,
    stopped: oneshot::Receiver<()>,
) -> Result<(), WatchError> {
    let mut screen = Screen::take().map_err(WatchError::Output)?;
    let mut input = read_input().map_err(WatchError::Start)?;
    let mut continued =
        signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw())).map_err(WatchError::Start)?;
    let mut model = Model::new(names);
    let (mut is_new, mut drawn_at) = (true, None::<Instant>);
    tokio::pin!(stopped);
    loop {
        let now = Instant::now();
        let next = drawn_at.map_or(now, |drawn_at| drawn_at + if is_new { FRAME } else { IDLE });
        if next <= now {
            let mut drawn = view::Drawn::default();
            let draw = |frame: &mut ratatui::Frame<'_>| drawn = view::draw(frame, &model, now);
            screen.terminal.draw(draw).map_err(WatchError::Output)?;
            model.choice.scroll = model.choice.scroll.min(drawn.last_scroll);
            (is_new, drawn_at) = (false, Some(Instant::now()));
            continue;
        }
        tokio::select! {
            _ = &mut stopped => return Ok(()),
            Some(event) = input.recv() => {
                match event.map_err(WatchError::Output)? {
                    Event::Key(key) => match wish(key) {
                        Some(Wish::Show(command)) => model.obey(command, Instant::now()),
                        Some(Wish::Redraw) => screen.clear().map_err(WatchError::Output)?,
                        Some(Wish::Suspend) => screen.suspend().map_err(WatchError::Output)?,
                        Some(Wish::Quit) => return Ok(()),
                        None => continue,
                    },
                    Event::Resize(..) => {}
                    _ => continue,
                }
                // Whoever has pressed a key waits for the picture.
                drawn_at = None;
            }
            Some(()) = continued.recv() => {
                screen.enter().map_err(WatchError::Output)?;
                drawn_at = None;
            }
            Some(Heard { host, event }) = heard.recv() => {
                model.hear(host, event, Instant::now());
                while let Ok(Heard { host, event }) = heard.try_recv() {
                    model.hear(host, event, Instant::now());
                }
                is_new = true;
            }
            () = sleep_until(next.into()) => {}
        }
    }
}

/// Keys and new sizes, read by a thread that ends with the process.
fn read_input() -> io::Result<mpsc::UnboundedReceiver<io::Result<Event>>> {
    let (send, input) = mpsc::unbounded_channel();
    thread::Builder::new().name("input".into()).spawn(move || {
        loop {
            let event = event::read();
            let is_last = event.is_err();
            if send.send(event).is_err() || is_last {
                return;
            }
        }
    })?;
    Ok(input)
}
