//! What is counted of an endpoint.

/// Whose endpoint it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EndpointName {
    /// The token's label.
    pub(crate) token: String,
    /// `eu-west-1`; empty where the AWS settings decide.
    pub(crate) region: String,
    pub(crate) service: &'static str,
}

/// What happened at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndpointEvent {
    /// There is such an endpoint.
    Known,
    /// It is deemed down from now on.
    Down,
    /// It answers again.
    Up,
    /// A request was not sent, because it is down.
    Refused,
    /// It is that of a region which has the same keys as others.
    IsRegion,
    /// The region is left alone from now on.
    Left,
    /// The region is used as before.
    Back,
    /// A request was answered there that could have gone to another region.
    Answered,
    /// A second request was sent there because the first one's region took long.
    Hedged,
    /// The second request was answered first.
    HedgeWon,
}

#[derive(Clone, Debug, Default)]
pub(super) struct OfEndpoint {
    pub(super) is_down: bool,
    pub(super) outages: u64,
    pub(super) refused: u64,
    pub(super) region: Option<OfRegion>,
}

/// What is counted of a token's region beside others.
#[derive(Clone, Debug, Default)]
pub(super) struct OfRegion {
    pub(super) is_left: bool,
    pub(super) answered: u64,
    pub(super) hedged: u64,
    pub(super) hedges_won: u64,
}

impl EndpointName {
    /// ` in eu-west-1`, or nothing.
    pub(crate) fn place(&self) -> String {
        if self.region.is_empty() {
            return String::new();
        }
        format!(" in {}", self.region)
    }
}

impl OfEndpoint {
    pub(super) fn note(&mut self, event: EndpointEvent) {
        match event {
            EndpointEvent::Known => {}
            EndpointEvent::Down => {
                self.is_down = true;
                self.outages += 1;
            }
            EndpointEvent::Up => self.is_down = false,
            EndpointEvent::Refused => self.refused += 1,
            event => self.region.get_or_insert_default().note(event),
        }
    }
}

impl OfRegion {
    fn note(&mut self, event: EndpointEvent) {
        match event {
            EndpointEvent::Left => self.is_left = true,
            EndpointEvent::Back => self.is_left = false,
            EndpointEvent::Answered => self.answered += 1,
            EndpointEvent::Hedged => self.hedged += 1,
            EndpointEvent::HedgeWon => self.hedges_won += 1,
            _ => {}
        }
    }
}
