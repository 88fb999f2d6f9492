/*
 * The service: runs node.exe in a job that ends with it, keeps what it says in agent.log, tells the event
 * log what matters, stops it by closing its standard input, and leaves a crash to Windows' recovery.
 */
#include "lumetry-svc.h"
#include "events.h"

/* Ends of the agent after which starting it again is of no use: its settings, or something a person has to do. */
enum { EXIT_SETTINGS = 2, EXIT_NEEDS_PERSON = 78 };
#define STOP_PATIENCE_MS 25000
#define LOG_LIMIT_BYTES (10 * 1024 * 1024)
#define LAST_WORDS_BYTES 2000

static SERVICE_STATUS_HANDLE status_handle;
static CRITICAL_SECTION status_lock;
static SERVICE_STATUS status;
static HANDLE stop_wanted, event_log;
static wchar_t state_folder[LONGEST_PATH], log_file[LONGEST_PATH];

/* What the agent wrote last on standard error; one thread writes it, and it is read after that has ended. */
static char last_words[LAST_WORDS_BYTES + 1];
static int last_words_length;

static void tell(WORD type, DWORD event, const wchar_t *first, const wchar_t *second)
{
    const wchar_t *texts[2] = {first, second};
    WORD count = second ? 2 : first ? 1 : 0;
    if (event_log) ReportEventW(event_log, type, 0, event, NULL, count, 0, texts, NULL);
}

static void report(DWORD state, DWORD exit_code, DWORD wait_hint_ms)
{
    EnterCriticalSection(&status_lock);
    /* Having said that it is stopping, it must not say that it runs. */
    if (!(status.dwCurrentState == SERVICE_STOP_PENDING && state == SERVICE_RUNNING)) {
        BOOL is_settled = state == SERVICE_RUNNING || state == SERVICE_STOPPED;
        status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
        status.dwCurrentState = state;
        status.dwControlsAccepted = state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PRESHUTDOWN : 0;
        status.dwWin32ExitCode = exit_code ? ERROR_SERVICE_SPECIFIC_ERROR : NO_ERROR;
        status.dwServiceSpecificExitCode = exit_code;
        status.dwCheckPoint = is_settled ? 0 : status.dwCheckPoint + 1;
        status.dwWaitHint = wait_hint_ms;
        SetServiceStatus(status_handle, &status);
    }
    LeaveCriticalSection(&status_lock);
}

static DWORD WINAPI on_control(DWORD control, DWORD type, void *data, void *context)
{
    (void)type, (void)data, (void)context;
    switch (control) {
    case SERVICE_CONTROL_STOP:
    case SERVICE_CONTROL_PRESHUTDOWN:
        report(SERVICE_STOP_PENDING, 0, STOP_PATIENCE_MS);
        SetEvent(stop_wanted);
        return NO_ERROR;
    case SERVICE_CONTROL_INTERROGATE:
        return NO_ERROR;
    }
    return ERROR_CALL_NOT_IMPLEMENTED;
}

static HANDLE open_log(LONGLONG *size)
{
    LARGE_INTEGER found = {0};
    HANDLE file = CreateFileW(log_file, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS,
                              FILE_ATTRIBUTE_NORMAL, NULL);
    if (file != INVALID_HANDLE_VALUE) GetFileSizeEx(file, &found);
    *size = found.QuadPart;
    return file;
}

static void remember(const char *bytes, int count)
{
    if (count > LAST_WORDS_BYTES) bytes += count - LAST_WORDS_BYTES, count = LAST_WORDS_BYTES;
    int kept = last_words_length + count > LAST_WORDS_BYTES ? LAST_WORDS_BYTES - count : last_words_length;
    memmove(last_words, last_words + last_words_length - kept, (size_t)kept);
    memcpy(last_words + kept, bytes, (size_t)count);
    last_words_length = kept + count;
    last_words[last_words_length] = 0;
}

/* Standard error of the agent: goes to agent.log, which gives way to agent.log.1 when it is long. */
static DWORD WINAPI keep_errors(void *pipe)
{
    char bytes[4096];
    DWORD count, written;
    LONGLONG size;
    HANDLE file = open_log(&size);
    while (ReadFile(pipe, bytes, sizeof bytes, &count, NULL) && count > 0) {
        remember(bytes, (int)count);
        if (size >= LOG_LIMIT_BYTES && bytes[count - 1] == '\n') {
            wchar_t older[LONGEST_PATH + 2];
            swprintf(older, ARRAYSIZE(older), L"%ls.1", log_file);
            CloseHandle(file);
            MoveFileExW(log_file, older, MOVEFILE_REPLACE_EXISTING);
            file = open_log(&size);
        }
        if (file != INVALID_HANDLE_VALUE && WriteFile(file, bytes, count, &written, NULL)) size += written;
    }
    if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
    return 0;
}

static void tell_line(char *line)
{
    wchar_t text[4096];
    if (MultiByteToWideChar(CP_UTF8, 0, line + 2, -1, text, ARRAYSIZE(text)) == 0) return;
    switch (line[0]) {
    case 'I': tell(EVENTLOG_INFORMATION_TYPE, EVENT_AGENT_INFORMATION, text, NULL); break;
    case 'W': tell(EVENTLOG_WARNING_TYPE, EVENT_AGENT_WARNING, text, NULL); break;
    case 'E': tell(EVENTLOG_ERROR_TYPE, EVENT_AGENT_ERROR, text, NULL); break;
    }
}

/* Standard output of the agent: lines for the event log, "I ", "W " or "E " and the text (service-entry.ts). */
static DWORD WINAPI tell_events(void *pipe)
{
    static char line[4000];
    int length = 0;
    char bytes[1024];
    DWORD count;
    while (ReadFile(pipe, bytes, sizeof bytes, &count, NULL) && count > 0) {
        for (DWORD at = 0; at < count; at++) {
            if (bytes[at] != '\n') {
                if (length < (int)sizeof line - 1) line[length++] = bytes[at];
                continue;
            }
            line[length] = 0;
            if (length > 2 && line[1] == ' ') tell_line(line);
            length = 0;
        }
    }
    return 0;
}

struct agent {
    HANDLE process, job, input, errors, events;
    DWORD process_id;
};

/* Only the agent's end is inherited, so that closing ours is noticed. */
static BOOL make_pipe(HANDLE *ours, HANDLE *theirs, BOOL do_they_read)
{
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    HANDLE readable, writable;
    if (!CreatePipe(&readable, &writable, &inherited, 0)) return FALSE;
    *ours = do_they_read ? writable : readable;
    *theirs = do_they_read ? readable : writable;
    return SetHandleInformation(*ours, HANDLE_FLAG_INHERIT, 0);
}

static BOOL start_agent(struct agent *agent)
{
    STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION process;
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    wchar_t node[LONGEST_PATH + 32], command[4 * LONGEST_PATH];

    /* What a machine sets for its developers' Node is not for this one. */
    SetEnvironmentVariableW(L"NODE_OPTIONS", NULL);
    SetEnvironmentVariableW(L"NODE_PATH", NULL);
    swprintf(node, ARRAYSIZE(node), L"%ls\\node.exe", program_folder);
    swprintf(command, ARRAYSIZE(command),
             L"\"%ls\" --max-semi-space-size=1 --optimize-for-size \"%ls\\..\\app\\service.mjs\" "
             L"--settings-file \"%ls\\config\\settings.json\"", node, program_folder, state_folder);
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    if (!make_pipe(&agent->input, &startup.hStdInput, TRUE) ||
        !make_pipe(&agent->errors, &startup.hStdError, FALSE) ||
        !make_pipe(&agent->events, &startup.hStdOutput, FALSE) ||
        !(agent->job = CreateJobObjectW(NULL, NULL)) ||
        !SetInformationJobObject(agent->job, JobObjectExtendedLimitInformation, &limits, sizeof limits) ||
        !CreateProcessW(node, command, NULL, NULL, TRUE, CREATE_SUSPENDED | CREATE_NO_WINDOW, NULL, program_folder,
                        &startup, &process))
        return FALSE;
    if (!AssignProcessToJobObject(agent->job, process.hProcess)) {
        DWORD error = GetLastError();
        TerminateProcess(process.hProcess, 1);
        SetLastError(error);
        return FALSE;
    }
    ResumeThread(process.hThread);
    CloseHandle(process.hThread);
    CloseHandle(startup.hStdInput);
    CloseHandle(startup.hStdError);
    CloseHandle(startup.hStdOutput);
    agent->process = process.hProcess;
    agent->process_id = process.dwProcessId;
    return TRUE;
}

/* The end of its input asks the agent to stop; who does not is ended. Its queue survives either. */
static void stop_agent(struct agent *agent)
{
    CloseHandle(agent->input);
    for (int waited = 0; waited < STOP_PATIENCE_MS; waited += 1000) {
        if (WaitForSingleObject(agent->process, 1000) == WAIT_OBJECT_0) {
            tell(EVENTLOG_INFORMATION_TYPE, EVENT_STOPPED, NULL, NULL);
            return;
        }
        report(SERVICE_STOP_PENDING, 0, STOP_PATIENCE_MS - (DWORD)waited + 2000);
    }
    wchar_t seconds[16];
    swprintf(seconds, ARRAYSIZE(seconds), L"%d", STOP_PATIENCE_MS / 1000);
    TerminateJobObject(agent->job, 1);
    tell(EVENTLOG_WARNING_TYPE, EVENT_KILLED, seconds, NULL);
}

static void end_as_agent_ended(struct agent *agent, HANDLE keeping)
{
    DWORD code = 1;
    wchar_t number[16], words[LAST_WORDS_BYTES + 1] = L"";
    GetExitCodeProcess(agent->process, &code);
    TerminateJobObject(agent->job, 1); /* what it had started, which may hold its output open */
    if (WaitForSingleObject(keeping, 5000) == WAIT_OBJECT_0)
        MultiByteToWideChar(CP_UTF8, 0, last_words, -1, words, ARRAYSIZE(words));
    swprintf(number, ARRAYSIZE(number), L"%lu", code);
    if (code == EXIT_SETTINGS || code == EXIT_NEEDS_PERSON) {
        /* Recovery starts what ended with an error; this must stay stopped. */
        tell(EVENTLOG_ERROR_TYPE, EVENT_NEEDS_PERSON, number, words);
        report(SERVICE_STOPPED, 0, 0);
        return;
    }
    tell(EVENTLOG_ERROR_TYPE, EVENT_CRASHED, number, words);
    report(SERVICE_STOPPED, code ? code : 1, 0);
}

static void WINAPI service_main(DWORD count, LPWSTR *arguments)
{
    struct agent agent = {0};
    wchar_t data[LONGEST_PATH - 64], started[LONGEST_PATH + 64];
    (void)count, (void)arguments;

    event_log = RegisterEventSourceW(NULL, SERVICE_NAME);
    stop_wanted = CreateEventW(NULL, TRUE, FALSE, NULL);
    status_handle = RegisterServiceCtrlHandlerExW(SERVICE_NAME, on_control, NULL);
    if (!status_handle) return;
    report(SERVICE_START_PENDING, 0, 10000);

    DWORD length = GetEnvironmentVariableW(L"ProgramData", data, ARRAYSIZE(data));
    if (length == 0 || length >= ARRAYSIZE(data)) {
        tell(EVENTLOG_ERROR_TYPE, EVENT_CANNOT_START, L"there is no variable ProgramData of a usable length", NULL);
        report(SERVICE_STOPPED, ERROR_BAD_ENVIRONMENT, 0);
        return;
    }
    swprintf(state_folder, ARRAYSIZE(state_folder), L"%ls\\Lumetry\\Agent", data);
    swprintf(log_file, ARRAYSIZE(log_file), L"%ls\\data\\agent.log", state_folder);
    if (is_wine()) take_environment();
    if (!start_agent(&agent)) {
        DWORD error = GetLastError();
        swprintf(started, ARRAYSIZE(started), L"%ls\\node.exe, Windows error %lu", program_folder, error);
        tell(EVENTLOG_ERROR_TYPE, EVENT_CANNOT_START, started, NULL);
        report(SERVICE_STOPPED, error ? error : 1, 0);
        return;
    }
    HANDLE keeping = CreateThread(NULL, 0, keep_errors, agent.errors, 0, NULL);
    CreateThread(NULL, 0, tell_events, agent.events, 0, NULL);
    report(SERVICE_RUNNING, 0, 0);
    swprintf(started, ARRAYSIZE(started), L"version " VERSION_WIDE L", process %lu, state in %ls", agent.process_id, state_folder);
    tell(EVENTLOG_INFORMATION_TYPE, EVENT_STARTED, started, NULL);

    HANDLE either[2] = {stop_wanted, agent.process};
    if (WaitForMultipleObjects(2, either, FALSE, INFINITE) == WAIT_OBJECT_0) {
        stop_agent(&agent);
        report(SERVICE_STOPPED, 0, 0);
    } else end_as_agent_ended(&agent, keeping);
}

int run_service(void)
{
    SERVICE_TABLE_ENTRYW services[] = {{SERVICE_NAME, service_main}, {NULL, NULL}};
    InitializeCriticalSection(&status_lock);
    if (StartServiceCtrlDispatcherW(services)) return ENDED_WELL;
    if (GetLastError() == ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
        fputws(L"\"lumetry-svc run\" is for the service control manager: use \"net start LumetryAgent\"\n", stderr);
        return ENDED_BY_USAGE;
    }
    return failed(L"the service control manager");
}
