import imaplib, os, ssl, sys

tls, ca, host, port, user, password, inbox, job, subject, message = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
if tls == "implicit":
    box = imaplib.IMAP4_SSL(host, int(port), ssl_context=context, timeout=60)
else:
    box = imaplib.IMAP4(host, int(port), timeout=60)
    box.starttls(ssl_context=context)
box.login(user, password)
box.select("INBOX")


def said(answer):
    print(answer[0], answer[1])
    return answer


def each(number, *args):
    said(box.store(number, *args))


found = box.search(None, "UNSEEN" if job == "fetch" else 'SUBJECT "%s"' % subject)[1][0].split()

if job == "fetch":
    for number in found:
        text = box.fetch(number, "(RFC822)")[1][0][1]
        with open(os.path.join(inbox, "new", os.urandom(8).hex()), "wb") as f:
            f.write(text)
elif job == "flag":
    for number in found:
        each(number, "+FLAGS", r"(\Seen \Flagged)")
elif job == "delete":
    for number in found:
        each(number, "+FLAGS", r"\Deleted")
    said(box.expunge())
elif job == "copy":
    for number in found:
        said(box.copy(number, "Archive"))
elif job == "move":
    for number in found:
        said(box.copy(number, "Archive"))
        each(number, "+FLAGS", r"\Deleted")
    said(box.expunge())
elif job == "upload":
    said(box.append("INBOX", r"(\Seen)", None, message.encode()))
elif job == "make folder":
    said(box.create("Archive"))

box.close()
box.logout()
