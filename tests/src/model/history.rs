//! Whether what many clients were answered could have been answered to one after the other (linearizability, after Wing and
//! Gong): each call takes effect at one moment between its beginning and its end; those that do two things, at two.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use super::{Command, State};

/// Beyond so many situations no answer is looked for: none of the histories here needs a hundredth.
const MOST: usize = 2_000_000;

/// A call that was answered.
#[derive(Debug, Clone)]
pub struct Call {
    /// What was asked for.
    pub command: Command,
    /// What was answered.
    pub status: u16,
    /// The state that the answer shows, if it shows one.
    pub shown: Option<String>,
    /// Just before it was asked.
    pub began: Instant,
    /// Just after it was answered.
    pub ended: Instant,
}

/// What a call does at one moment.
#[derive(Debug, Clone, Copy)]
enum Effect {
    /// All that it does.
    Whole,
    /// The name is taken.
    Take,
    /// It is there.
    Come,
    /// The program ends, whatever it was.
    End,
    /// The program runs.
    Run,
    /// It is on its way out.
    Leave,
    /// It is gone.
    Go,
}

impl Call {
    fn effects(&self) -> &'static [Effect] {
        match (self.command, self.status) {
            (Command::Create, 201) => &[Effect::Take, Effect::Come],
            (Command::Restart, 204) => &[Effect::End, Effect::Run],
            (Command::Remove | Command::RemoveByForce, 204) => &[Effect::Leave, Effect::Go],
            _ => &[Effect::Whole],
        }
    }

    /// The state after an effect; `None` if that cannot have been in this state.
    fn take(&self, effect: Effect, state: State) -> Option<State> {
        let there = !matches!(state, State::Absent | State::Creating | State::Removing);
        match effect {
            Effect::Take => (state == State::Absent).then_some(State::Creating),
            Effect::Come => (state == State::Creating).then_some(State::Created),
            Effect::End if there => Some(State::Exited),
            Effect::Run if there => Some(State::Running),
            Effect::Leave if there => Some(State::Removing),
            Effect::Go => (state == State::Removing).then_some(State::Absent),
            Effect::Whole => self.whole(state),
            Effect::End | Effect::Run | Effect::Leave => None,
        }
    }

    fn whole(&self, state: State) -> Option<State> {
        if state == State::Removing {
            let refused = matches!(self.status, 304 | 404 | 409 | 500);
            return (refused || self.command == Command::Inspect).then_some(state);
        }
        let (status, next) = self.command.answer(state);
        let as_shown = self.shown.as_ref().is_none_or(|shown| shown == state.word());
        (status == self.status && as_shown).then_some(next)
    }
}

/// Checks the histories of clients, each with its calls in order, that begin with no container.
///
/// # Errors
/// With the longest order that was found, and what the clients waited for then.
pub fn linearize(clients: &[Vec<Call>]) -> Result<(), String> {
    let mut search = Search { clients, seen: HashSet::new(), best: Vec::new(), order: Vec::new() };
    if search.from(&mut vec![(0, 0); clients.len()], State::Absent) {
        return Ok(());
    }
    let told: Vec<String> = search.best.iter().map(|(client, call)| search.tell(*client, *call)).collect();
    Err(format!("after this nothing fits any more ({} situations looked at):\n{}", search.seen.len(), told.join("\n")))
}

/// How far a client is: calls that are done, and effects of the next one.
type Place = (usize, usize);

struct Search<'c> {
    clients: &'c [Vec<Call>],
    seen: HashSet<(Vec<Place>, State)>,
    order: Vec<(usize, usize)>,
    best: Vec<(usize, usize)>,
}

impl Search<'_> {
    fn from(&mut self, places: &mut Vec<Place>, state: State) -> bool {
        let possible = self.possible(places, state);
        if possible.is_empty() && places.iter().zip(self.clients).all(|((call, _), calls)| *call == calls.len()) {
            return true;
        }
        if self.seen.len() > MOST || !self.seen.insert((places.clone(), state)) {
            return false;
        }
        // What changes nothing may as well be first.
        let still = possible.iter().find(|(_, next)| *next == state).copied();
        for (client, next) in still.map_or(possible, |still| vec![still]) {
            let before = places[client];
            self.order.push((client, before.0));
            if self.order.len() > self.best.len() {
                self.best.clone_from(&self.order);
            }
            places[client] = self.after(client, before);
            if self.from(places, next) {
                return true;
            }
            places[client] = before;
            self.order.pop();
        }
        false
    }

    /// Which clients' next effects can have been next, and what they lead to.
    fn possible(&self, places: &[Place], state: State) -> Vec<(usize, State)> {
        let next = |client: usize| self.clients[client].get(places[client].0);
        let first_end = (0..places.len()).filter_map(next).map(|call| call.ended).min();
        let lead_to = |client: usize| {
            let call = next(client).filter(|call| first_end.is_none_or(|end| call.began <= end))?;
            Some((client, call.take(call.effects()[places[client].1], state)?))
        };
        (0..places.len()).filter_map(lead_to).collect()
    }

    fn after(&self, client: usize, (call, effect): Place) -> Place {
        if effect + 1 < self.clients[client][call].effects().len() { (call, effect + 1) } else { (call + 1, 0) }
    }

    fn tell(&self, client: usize, call: usize) -> String {
        let began = self.clients.iter().flatten().map(|call| call.began).min();
        let Call { command, status, shown, began: from, ended } = &self.clients[client][call];
        let since = |moment: &Instant| began.map_or(Duration::ZERO, |began| *moment - began).as_micros();
        format!("client {client}: {command:?} {status} {shown:?} from {} to {} µs", since(from), since(ended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(command: Command, status: u16, from: u64, to: u64) -> Call {
        static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        let began = *BEGAN.get_or_init(Instant::now);
        let at = |millis| began + Duration::from_millis(millis);
        Call { command, status, shown: None, began: at(from), ended: at(to) }
    }

    fn shows(state: &str, from: u64, to: u64) -> Call {
        Call { shown: Some(state.to_owned()), ..call(Command::Inspect, 200, from, to) }
    }

    #[test]
    fn calls_at_once_may_have_been_in_any_order_but_in_one() {
        let create = call(Command::Create, 201, 0, 10);
        let start = call(Command::Start, 204, 0, 10);
        linearize(&[vec![start.clone()], vec![create.clone()]]).unwrap();
        let twice = [vec![create.clone()], vec![create.clone()]];
        assert!(linearize(&twice).unwrap_err().contains("client 0: Create 201"));
        let after = [vec![start], vec![call(Command::Create, 201, 11, 12)]];
        assert!(linearize(&after).is_err(), "it was started before it was there");
        linearize(&[vec![create, call(Command::Create, 409, 1, 2)]]).unwrap();
    }

    #[test]
    fn nobody_sees_what_is_over() {
        let begin =
            vec![call(Command::Create, 201, 0, 1), call(Command::Start, 204, 2, 3), call(Command::Kill, 204, 4, 8)];
        linearize(&[begin.clone(), vec![shows("running", 5, 6), shows("exited", 5, 7)]]).unwrap();
        assert!(linearize(&[begin.clone(), vec![shows("exited", 5, 6), shows("running", 7, 8)]]).is_err());
        assert!(linearize(&[begin, vec![shows("running", 9, 10)]]).is_err());
    }

    #[test]
    fn a_restart_and_a_removal_are_seen_from_within() {
        let begin = vec![call(Command::Create, 201, 0, 1), call(Command::Restart, 204, 2, 5)];
        linearize(&[begin.clone(), vec![shows("exited", 3, 4), shows("running", 4, 5)]]).unwrap();
        let gone =
            [begin, vec![call(Command::RemoveByForce, 204, 6, 9)], vec![call(Command::Start, 409, 7, 8)]].concat();
        let clients: Vec<Vec<Call>> = gone.into_iter().map(|call| vec![call]).collect();
        linearize(&clients).unwrap();
    }
}
