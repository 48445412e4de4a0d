# The changes that .ci/evolution makes to a copy of the bank, one after the other: each function edits what the one before left.
# $schemas and $bank are the folders of the copy, $here is this folder. Each says what `schemas check` must tell: in `must`, lines (extended
# regular expressions); in `states` and `documents`, how many states and documents of before become others. All counts are of the whole log.

edit() { # edit FILE SED-ARGUMENTS...: an edit that changes nothing is a mistake of this file, and noted in $broken
  local file=$1 before; shift
  before=$(<"$file")
  sed -E -i "$@" "$file"
  [ "$before" != "$(<"$file")" ] || broken+="sed $* changes nothing in $file. "
}
replace_word() { # replace_word OLD NEW: in all code
  local file
  while read -r file; do edit "$file" "s/\b$1\b/$2/g"; done < <(grep -rlw --include='*.cs' "$1" "$bank")
}
using_namespace() { # using_namespace NAMESPACE FILE...
  local namespace=$1 file; shift
  for file in "$@"; do edit "$file" "0,/^using /s/^using /using $namespace;\n&/"; done
}

# Before the first change: a command that freezes accounts, as no ledger does; and one overdraft limit for all accounts, as the limit that an
# account's history needs is not known from the first slice of a ledger.
prepare() {
  cp "$here/FreezeCommand.cs" "$bank/Ledger/"
  edit "$bank/Program.cs" 's/^    \.WithCommand\(ImportCommand.Create\)/&\n    .WithCommand(FreezeCommand.Create)/'
  edit "$bank/Ledger/LedgerCommands.cs" 's/DeepestOverdraft => -_lowest;/DeepestOverdraft => Math.Max(-_lowest, 100_000_00);/'
}

change_1() { # add a field with a default
  local event
  for event in AccountCredited AccountDebited; do
    edit "$schemas/$event.avsc" 's/^  "fields": \[/&\n    {"name": "Memo", "type": "string", "default": "", "doc": "What the customer wrote."},/'
  done
  must=("Banking.Domain.AccountCredited +schema [0-9]+ +$credits  converted" "Banking.Domain.AccountDebited +schema [0-9]+ +$debits  converted"
    'Memo takes its default, ""')
}

change_2() { # rename a field
  local event
  for event in AccountCredited AccountDebited; do
    edit "$schemas/$event.avsc" 's/"name": "PartnerBank", /"name": "CounterpartyBank", "aliases": ["PartnerBank"], /'
  done
  edit "$bank/Domain/Account.cs" 's/PartnerBank = command/CounterpartyBank = command/'
  edit "$bank/ReadModels/BankReadModels.cs" 's/= ([cd])\.PartnerBank/= \1.CounterpartyBank/'
  must=('CounterpartyBank was called PartnerBank')
}

change_3() { # remove a field
  edit "$schemas/AccountCredited.avsc" '/"PartnerAccount"/d'
  edit "$schemas/AccountDebited.avsc" '/"PartnerAccount"/d'
  edit "$bank/Domain/Account.cs" '/PartnerAccount = command/d'
  edit "$bank/ReadModels/BankReadModels.cs" '/PartnerAccount = /d'
  must=('PartnerAccount is passed over')
  documents=$partners
}

change_4() { # promote a type
  edit "$schemas/AccountOpened.avsc" '/"OverdraftLimit"/s/"long"/"double"/'
  edit "$bank/Domain/Account.cs" 's/= opened\.OverdraftLimit/= (long)opened.OverdraftLimit/'
  edit "$bank/ReadModels/BankReadModels.cs" 's/= opened\.OverdraftLimit/= (long)opened.OverdraftLimit/'
  must=("Banking.Domain.AccountOpened +schema [0-9]+ +$accounts  converted" 'OverdraftLimit is converted from "?long"? to "?double"?')
}

change_5() { # add a symbol, in the middle
  edit "$schemas/Operation.avsc" 's/"TransferIn"/"StandingOrder", &/'
  must=("Banking.Domain.AccountCredited +schema [0-9]+ +$credits  converted" "Banking.Domain.AccountDebited +schema [0-9]+ +$debits  converted")
}

change_6() { # rename a type
  mv "$schemas/AccountOpened.avsc" "$schemas/AccountRegistered.avsc"
  edit "$schemas/AccountRegistered.avsc" 's/"name": "AccountOpened",/"name": "AccountRegistered",\n  "aliases": ["AccountOpened"],/'
  replace_word AccountOpened AccountRegistered
  must=("Banking.Domain.AccountOpened +schema [0-9]+ +$accounts  read as Banking.Domain.AccountRegistered")
}

change_7() { # move a type to another namespace
  edit "$schemas/AccountDebited.avsc" -e 's/"namespace": "Banking.Domain",/"namespace": "Banking.Postings",\n  "aliases": ["Banking.Domain.AccountDebited"],/' \
    -e 's/"type": "(Operation|Category)"/"type": "Banking.Domain.\1"/'
  using_namespace Banking.Postings "$bank/Domain/Account.cs" "$bank/ReadModels/BankReadModels.cs" "$bank/Books/Books.cs"
  must=("Banking.Domain.AccountDebited +schema [0-9]+ +$debits  read as Banking.Postings.AccountDebited")
}

change_8() { # give a type another meaning
  cp "$here/MoneyReceived.avsc" "$schemas/"
  cp "$here/UpcastCredited.cs" "$bank/Domain/"
  edit "$bank/Domain/Account.cs" \
    -e 's/^( +)\.Evolves<AccountCredited>.*/\1.Upcasts<AccountCredited, MoneyReceived>(Upcast.Received)\n\1.Evolves<MoneyReceived>((state, received) => state with\n\1{\n\1    Balance = received.BalanceBefore + received.Amount,\n\1    Credits = state.Credits + 1,\n\1})/' \
    -e 's/new AccountCredited/new MoneyReceived/' -e 's/BalanceAfter = state.Balance \+ command.Amount/BalanceBefore = state.Balance/'
  edit "$bank/ReadModels/BankReadModels.cs" -e 's/\bAccountCredited\b/MoneyReceived/' \
    -e 's/= credited\.BalanceAfter/= credited.BalanceBefore + credited.Amount/' -e 's/c\.BalanceAfter - c\.Amount/c.BalanceBefore/' \
    -e 's/= c\.BalanceAfter/= c.BalanceBefore + c.Amount/'
  edit "$bank/Books/Books.cs" 's/\bAccountCredited\b/MoneyReceived/'
  must=("Banking.Domain.AccountCredited +schema [0-9]+ +$credits  upcast")
}

change_9() { # split a type into two
  cp "$here/AccountStarted.avsc" "$schemas/"
  cp "$here/UpcastRegistered.cs" "$bank/Domain/"
  edit "$bank/Domain/Account.cs" \
    -e 's/^( +)\.Evolves<AccountRegistered>/\1.Upcasts<AccountRegistered>(Upcast.Started)\n\1.Evolves<AccountStarted>/' \
    -e 's/= \(long\)opened\.OverdraftLimit/= 0/' \
    -e '/new AccountRegistered/,/\}\);/{/OverdraftLimit/d;s/\}\);/}, new OverdraftLimitSet { OverdraftLimit = command.OverdraftLimit });/;s/AccountRegistered/AccountStarted/}'
  edit "$bank/ReadModels/BankReadModels.cs" -e 's/\bAccountRegistered\b/AccountStarted/' -e 's/= \(long\)opened\.OverdraftLimit/= 0/'
  edit "$bank/Books/Books.cs" 's/\bAccountRegistered\b/AccountStarted/'
  must=("Banking.Domain.AccountOpened +schema [0-9]+ +$accounts  upcast")
}

change_10() { # merge two types into one
  cp "$here/MoneyMoved.avsc" "$schemas/"
  cp "$here/UpcastMoved.cs" "$bank/Domain/"
  cp "$here/BankReadModels.cs" "$bank/ReadModels/"
  edit "$bank/Domain/Account.cs" \
    -e 's/^( +)\.Evolves<AccountDebited>.*/\1.Upcasts<MoneyReceived, MoneyMoved>(Upcast.In)\n\1.Upcasts<AccountDebited, MoneyMoved>(Upcast.Out)/' \
    -e '/\.Evolves<MoneyReceived>/,/\}\)/{s/MoneyReceived/MoneyMoved/;s/received/moved/g;s/Credits \+ 1,/Credits + (moved.Amount > 0 ? 1 : 0),/;s/^( +)\}\)/\1    Debits = state.Debits + (moved.Amount > 0 ? 0 : 1),\n&/}' \
    -e '/new AccountDebited/,/\}\);/{s/Amount = command/Amount = -command/;s/BalanceAfter = .*/BalanceBefore = state.Balance,/}' \
    -e 's/new (AccountDebited|MoneyReceived)/new MoneyMoved/'
  edit "$bank/Books/Books.cs" -e '/case AccountDebited /,/break;/d' -e 's/MoneyReceived credited/MoneyMoved moved/' -e 's/credited\./moved./'
  must=("Banking.Domain.AccountCredited +schema [0-9]+ +$credits  upcast" "Banking.Domain.AccountDebited +schema [0-9]+ +$debits  upcast")
}

change_11() { # withdraw two types, and their commands
  rm "$schemas"/{FreezeAccount,UnfreezeAccount,AccountFrozen,AccountUnfrozen}.avsc "$bank/Ledger/FreezeCommand.cs"
  edit "$bank/Program.cs" '/FreezeCommand/d'
  edit "$bank/BankExamples.cs" '/new (Freeze|Unfreeze)Account/d'
  edit "$bank/ReadModels/BankReadModels.cs" '/Changes<Account(Frozen|Unfrozen)>/d'
  edit "$bank/Domain/Account.cs" -e '/Decides<(Freeze|Unfreeze)Account>/d' -e '/private static Decision (Freeze|Unfreeze)\(/,/^    \}/d' \
    -e 's/\.Evolves<(AccountFrozen|AccountUnfrozen)>.*/.Ignores("Banking.Domain.\1")/'
  must=('Banking.Domain.AccountFrozen +schema [0-9]+ +2  ignored' 'Banking.Domain.AccountUnfrozen +schema [0-9]+ +1  ignored'
    "$frozen.*Status")
  states=1 documents=2 # the one that is still frozen is open again; the documents of both have the version of their last event
}

change_12() { # allow null
  edit "$schemas/AccountRegistered.avsc" '/"name": "Owner"/s/"string"/["null", "string"]/'
  edit "$schemas/AccountStarted.avsc" '/"name": "Owner"/s/"string"/["null", "string"]/'
  edit "$bank/Domain/Account.cs" 's/= opened\.Owner/= opened.Owner ?? ""/'
  edit "$bank/ReadModels/BankReadModels.cs" 's/= started\.Owner/= started.Owner ?? ""/'
  must=("Banking.Domain.AccountOpened +schema [0-9]+ +$accounts  upcast")
}

refused_1() { # add a field without a default, to a type that is only upcast by now
  edit "$schemas/AccountCredited.avsc" 's/^  "fields": \[/&\n    {"name": "Channel", "type": "string", "doc": "How it was ordered."},/'
  unreadable=Banking.Domain.AccountCredited
  must=("$unreadable +schema [0-9]+ +$credits  CANNOT BE READ" "$credits cannot be read, the first at [0-9]+@[0-9]+: ")
}

refused_2() { # delete a type that the log has
  rm "$schemas/AccountDebited.avsc"
  edit "$bank/Domain/Account.cs" -e '/Upcasts<AccountDebited, /d' -e '/using Banking.Postings/d'
  edit "$bank/Domain/UpcastMoved.cs" -e '/ Out\(/,/^    \};/d' -e '/using Banking.Postings/d'
  edit "$bank/Books/Books.cs" '/using Banking.Postings/d'
  unreadable=Banking.Domain.AccountDebited
  must=("$unreadable +schema [0-9]+ +$debits  CANNOT BE READ" "$debits cannot be read, the first at [0-9]+@[0-9]+: ")
}
