//! The tray's texts. The window has a catalogue of its own; these few are needed before there is a page.

/// One language.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) connecting: &'static str,
    pub(super) lost: &'static str,
    pub(super) stopped: &'static str,
    pub(super) starting: &'static str,
    pub(super) prepare: &'static str,
    pub(super) vmm: &'static str,
    pub(super) kernel: &'static str,
    pub(super) agent: &'static str,
    pub(super) stopping: &'static str,
    pub(super) failed: &'static str,
    runs: fn(usize) -> String,
    pub(super) start: &'static str,
    pub(super) stop: &'static str,
    pub(super) restart: &'static str,
    pub(super) open: &'static str,
    pub(super) quit: &'static str,
}

pub(super) const ENGLISH: Words = Words {
    connecting: "Connecting to the engine",
    lost: "Engine not reached",
    stopped: "Machine stopped",
    starting: "Machine starts",
    prepare: "preparing",
    vmm: "virtual machine",
    kernel: "Linux kernel",
    agent: "agent",
    stopping: "Machine stops",
    failed: "Machine failed",
    runs: |containers| match containers {
        0 => "Machine runs, no containers".to_owned(),
        1 => "Machine runs, 1 container".to_owned(),
        more => format!("Machine runs, {more} containers"),
    },
    start: "Start",
    stop: "Stop",
    restart: "Restart",
    open: "Open Cove",
    quit: "Quit (the engine goes on)",
};

const KOREAN: Words = Words {
    connecting: "엔진에 연결하는 중",
    lost: "엔진에 연결할 수 없음",
    stopped: "머신이 멈춰 있음",
    starting: "머신 시작 중",
    prepare: "준비",
    vmm: "가상 머신",
    kernel: "리눅스 커널",
    agent: "에이전트",
    stopping: "머신 중지 중",
    failed: "머신 시작 실패",
    runs: |containers| match containers {
        0 => "머신 실행 중, 컨테이너 없음".to_owned(),
        more => format!("머신 실행 중, 컨테이너 {more}개"),
    },
    start: "시작",
    stop: "중지",
    restart: "다시 시작",
    open: "Cove 열기",
    quit: "종료 (엔진은 계속 실행)",
};

impl Words {
    /// The language of the user: Korean, else English.
    pub(super) fn of_the_user() -> &'static Self {
        static LANGUAGES: [Words; 2] = [ENGLISH, KOREAN];
        let korean = sys_locale::get_locale().is_some_and(|locale| locale.starts_with("ko"));
        &LANGUAGES[usize::from(korean)]
    }

    /// The machine runs with so many containers.
    pub(super) fn running(&self, containers: usize) -> String {
        (self.runs)(containers)
    }
}
