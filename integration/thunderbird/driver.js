/* What is done inside Thunderbird. The functions run in its main window, with
 * the rights of the program. Each is called by its name with what the caller
 * gives. */

const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const win = Services.wm.getMostRecentWindow("mail:3pane");
const account = () => MailServices.accounts.getAccount("account1").incomingServer;

const pause = ms => new Promise(done => win.setTimeout(done, ms));

/* until waits until something is so, and says what it waited for if that does
 * not come. */
async function until(what, is) {
  for (let i = 0; i < 400; i++) {
    const value = is();
    if (value) {
      return value;
    }
    await pause(50);
  }
  throw new Error(`waited in vain: ${what}`);
}

/* heard are the dialogs and the alerts since the start. */
function heard() {
  win.mailguardHeard ??= [];
  return win.mailguardHeard;
}

/* listen keeps what a person would be told in a window. A dialog is answered
 * with its default button, as it would wait forever. */
function listen() {
  MailServices.mailSession.addUserFeedbackListener({
    QueryInterface: ChromeUtils.generateQI(["nsIMsgUserFeedbackListener"]),
    onAlert(text) { heard().push(`alert: ${text}`); return true; },
    onCertError() { heard().push("alert: the certificate is not trusted"); return true; },
  });
  const answer = dialog => {
    const said = dialog.document?.getElementById("infoBody")?.textContent ?? dialog.document?.title ?? "";
    heard().push(`dialog: ${said}`);
    dialog.document?.querySelector("dialog")?.acceptDialog();
  };
  Services.obs.addObserver(answer, "common-dialog-loaded");
}

/* keepPassword is "Use the password manager". */
async function keepPassword(host, password) {
  const origin = `imap://${host}`;
  if ((await Services.logins.searchLoginsAsync({ origin })).length == 0) {
    const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
    login.init(origin, null, origin, account().username, password, "", "");
    await Services.logins.addLoginAsync(login);
  }
}

/* prepare makes the account usable: the certificate and the password are what
 * a person would have given at the first start. */
async function prepare(ca, host, password) {
  await until("the main window", () => win.document.readyState == "complete" && win.gTabmail?.currentAbout3Pane?.document.readyState == "complete");
  listen();
  const db = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
  db.addCertFromBase64(ca, "CT,,");
  await keepPassword(host, password);
  return Services.appinfo.version;
}

/* finished is a listener for one operation, and waits for its end. */
function finished(what) {
  const end = Promise.withResolvers();
  const listener = {
    QueryInterface: ChromeUtils.generateQI(["nsIUrlListener"]),
    OnStartRunningUrl() {},
    OnStopRunningUrl(url, status) { end.resolve(status); },
  };
  const late = pause(20000).then(() => { throw new Error(`${what} does not end`); });
  late.catch(() => {}); // told to whoever still waits
  return { listener, end: Promise.race([end.promise, late]) };
}

const folders = () => [...account().rootFolder.descendants];
const named = name => folders().find(f => f.name.toLowerCase() == name.toLowerCase());

/* refresh is what "Get Messages" and a click on a folder do. Its status is 0
 * when all went well. An update that finds another one going on, as there is
 * when a folder was just opened, is dropped and never says that it ended. */
async function refresh(name) {
  if (!named(name) || name != "Inbox") {
    account().performExpand(win.msgWindow);
    await until(`folder ${name}`, () => named(name));
  }
  const folder = named(name).QueryInterface(Ci.nsIMsgImapMailFolder);
  const { listener, end } = finished(`update of ${name}`);
  folder.updateFolderWithListener(win.msgWindow, listener);
  return Promise.race([end, pause(1500).then(() => 0)]);
}

/* show opens a folder in the main window, and waits until its list is there. */
async function show(name) {
  const pane = win.gTabmail.currentAbout3Pane;
  const folder = await until(`folder ${name}`, () => named(name));
  pane.displayFolder(folder.URI);
  await until(`the list of ${name}`, () => pane.gFolder == folder && pane.gDBView?.msgFolder == folder);
  return pane;
}

const rows = view => Array.from({ length: view.rowCount }, (_, i) => view.getMsgHdrAt(i));
const struck = header => Boolean(header.flags & Ci.nsMsgMessageFlags.IMAPDeleted);
const told = header => header.mime2DecodedSubject + (struck(header) ? "(struck-out)" : "");

/* list is what a person sees in a folder, and what Thunderbird's index of the
 * folder has. */
async function list(name) {
  const pane = await show(name);
  const index = [...pane.gFolder.msgDatabase.enumerateMessages()];
  return { shown: rows(pane.gDBView).map(told).sort(), index: index.map(told).sort() };
}

/* select marks the line of one message. */
async function select(name, subject) {
  const pane = await show(name);
  const row = await until(`${subject} in ${name}`, () => 1 + rows(pane.gDBView).findIndex(h => h.mime2DecodedSubject == subject));
  pane.threadTree.selectedIndex = row - 1;
  await until("the selection", () => pane.gDBView.numSelected == 1);
  return pane;
}

/* press is what a key does with one message: cmd_deleteMessage for Delete. */
async function press(name, subject, command) {
  const pane = await select(name, subject);
  pane.commandController.doCommand(command);
}

/* move drags a message to another folder. */
async function move(name, subject, to) {
  const pane = await select(name, subject);
  pane.gDBView.doCommandWithFolder(Ci.nsMsgViewCommandType.moveMessages, named(to));
}

/* compact expunges. */
async function compact(name) {
  const { listener, end } = finished(`compacting ${name}`);
  named(name).compact(listener, win.msgWindow);
  return end;
}

/* undo is Ctrl+Z. */
function undo() {
  win.messenger.undo(win.msgWindow);
}

/* emptyTrash is the menu item, without the question before it. */
async function emptyTrash() {
  await refresh("Trash");
  const { listener, end } = finished("emptying Trash");
  account().rootFolder.emptyTrash(listener);
  return end;
}

/* complaints are what a person was told, and the errors that the mail code
 * left in the console. */
function complaints() {
  const errors = Services.console.getMessageArray()
    .filter(m => m instanceof Ci.nsIScriptError && !(m.flags & Ci.nsIScriptError.warningFlag) && /imap|mailnews/i.test(m.sourceName + m.errorMessage))
    .map(m => `console: ${m.errorMessage} (${m.sourceName}:${m.lineNumber})`);
  return heard().concat(errors);
}

/* quit is the menu's. */
function quit() {
  win.setTimeout(() => Services.startup.quit(Ci.nsIAppStartup.eAttemptQuit), 0);
}
