//! GDB's connection: a thread that speaks its protocol.

use std::convert::Infallible;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use gdbstub::common::Signal;
use gdbstub::conn::ConnectionExt as _;
use gdbstub::stub::run_blocking::{BlockingEventLoop, Event, WaitForStopReasonError};
use gdbstub::stub::{DisconnectReason, GdbStub, SingleThreadStopReason};
use gdbstub::target::ext::base::reverse_exec::ReplayLogPosition;
use gdbstub::target::ext::breakpoints::WatchKind;

use super::target::Guest;
use super::{Job, Pace, Stop};
use emu::machine::debug::Watched;

/// How long the guest is waited for before the connection is looked at.
const GLANCE: Duration = Duration::from_millis(1);

/// Serves one debugger after the other, until the run is over.
pub(super) fn serve(listener: &TcpListener, jobs: &Sender<Job>, stops: &Receiver<Stop>) {
    let mut first = true;
    for connection in listener.incoming() {
        let Ok(connection) = connection else { continue };
        let mut guest = Guest { jobs, stops };
        // The first one finds the guest waiting; later ones stop it.
        let halt = move |state: &mut super::State| state.pace = Pace::Halted;
        if !std::mem::take(&mut first) && guest.with(move |_, state| halt(state)).is_none() {
            return;
        }
        let ended = talk(connection, &mut guest);
        let killed = matches!(ended, Ok(DisconnectReason::Kill));
        let over = guest.with(move |_, state| {
            state.breakpoints.clear();
            state.watchpoints.clear();
            state.stale = true;
            state.pace = if killed { Pace::Killed } else { Pace::Free };
        });
        if killed || over.is_none() {
            return;
        }
    }
}

fn talk(connection: TcpStream, guest: &mut Guest<'_>) -> Result<DisconnectReason, ()> {
    // Many small packets that wait for each other.
    connection.set_nodelay(true).map_err(drop)?;
    GdbStub::new(connection)
        .run_blocking::<Loop<'_>>(guest)
        .map_err(drop)
}

struct Loop<'a>(std::marker::PhantomData<Guest<'a>>);

impl<'a> BlockingEventLoop for Loop<'a> {
    type Target = Guest<'a>;
    type Connection = TcpStream;
    type StopReason = SingleThreadStopReason<u32>;

    fn wait_for_stop_reason(
        target: &mut Guest<'a>,
        connection: &mut TcpStream,
    ) -> Result<Event<Self::StopReason>, WaitForStopReasonError<Infallible, io::Error>> {
        loop {
            match target.stops.recv_timeout(GLANCE) {
                Ok(stop) => return Ok(Event::TargetStopped(reason(stop))),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(Event::TargetStopped(SingleThreadStopReason::Exited(0)));
                }
            }
            let byte = match connection.peek() {
                Ok(Some(_)) => connection.read(),
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            return byte
                .map(Event::IncomingData)
                .map_err(WaitForStopReasonError::Connection);
        }
    }

    fn on_interrupt(target: &mut Guest<'a>) -> Result<Option<Self::StopReason>, Infallible> {
        target.with(|_, state| state.pace = Pace::Halted);
        // It may have stopped by itself at the same time.
        let stopped = target.stops.try_iter().last();
        let interrupted = SingleThreadStopReason::Signal(Signal::SIGINT);
        Ok(Some(stopped.map_or(interrupted, reason)))
    }
}

fn reason(stop: Stop) -> SingleThreadStopReason<u32> {
    match stop {
        Stop::Break => SingleThreadStopReason::SwBreak(()),
        Stop::Step => SingleThreadStopReason::DoneStep,
        Stop::Back => SingleThreadStopReason::Signal(Signal::SIGTRAP),
        Stop::Beginning => SingleThreadStopReason::ReplayLog {
            tid: None,
            pos: ReplayLogPosition::Begin,
        },
        Stop::Watch(hit) => SingleThreadStopReason::Watch {
            tid: (),
            kind: match hit.watchpoint.watched {
                Watched::Reads => WatchKind::Read,
                Watched::Writes => WatchKind::Write,
                Watched::Both => WatchKind::ReadWrite,
            },
            addr: hit.address,
        },
    }
}
