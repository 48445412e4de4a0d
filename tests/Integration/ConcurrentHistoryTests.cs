using Banking.Domain;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>
/// Many callers at both doors at once, on few accounts, through a restart; the history checker decides whether what they were told can be.
/// </summary>
public sealed class ConcurrentHistoryTests(BankFixture bank)
{
    private const int Callers = 8;
    private const int CallsEach = 60;
    private const int Accounts = 3; // so few that all commands of one stay within the remembered ids
    private const int RestartAfter = Callers * CallsEach / 3;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    public async Task Concurrent_callers_at_both_doors_see_a_legal_history_through_a_restart(int seed, bool deleteStores)
    {
        ApplicationDefinition application = BankFixture.NewBank();
        string data = Path.Combine(bank.Servers.Folder, application.Name);
        var history = new CallHistory(TimeProvider.System);
        var place = new Place(await bank.Servers.StartNodeAsync(application, data, Cancellation));
        try
        {
            Task[] callers = [.. Enumerable.Range(0, Callers).Select(n =>
                Task.Run(() => new Caller(n, seed, place, history).Run(), Cancellation))];
            await place.CallsMade.WaitAsync(Cancellation);
            await place.Node.DisposeAsync(); // under its callers' hands
            if (deleteStores)
                Directory.Delete(data, recursive: true);
            place.Enter(await bank.Servers.StartNodeAsync(application, data, Cancellation));
            await Task.WhenAll(callers);

            EventSourcedNode node = place.Node;
            var conserved = new HistoryInvariant("money is what was accepted", finals =>
                Balance(finals) == Accepted(history) ? null : $"balances give {Balance(finals)}, accepted movements {Accepted(history)}");
            var checker = new HistoryChecker(Account.Definition,
                new HistoryCheckerOptions { RefusalsAreRemembered = !deleteStores }, conserved);
            HistoryVerdict verdict = await checker.CheckAsync(node.Aggregates[0].History, history, Cancellation);
            verdict.IsLegal.ShouldBeTrue($"seed {seed}: {verdict}");
            TestContext.Current.TestOutputHelper?.WriteLine(verdict.ToString());

            // The history is worth checking only if callers met.
            verdict.Aggregates.ShouldBe(Accounts);
            verdict.SentAgain.ShouldBeGreaterThan(0);
            verdict.Conflicts.ShouldBeGreaterThan(0);
            verdict.Reads.ShouldBeGreaterThan(0);
        }
        finally
        {
            await place.Node.DisposeAsync();
        }
    }

    private static long Balance(IEnumerable<FinalState> finals) => finals.Sum(f => ((AccountState)f.State).Balance);

    private static long Accepted(CallHistory history) => history.Take()
        .Where(c => c.Answer is CallAnswer.Told { Result: CommandResult.Accepted })
        .DistinctBy(c => c.Command!.CommandId)
        .Sum(c => c.Command!.Payload switch { Credit credit => credit.Amount, Debit debit => -debit.Amount, _ => 0 });

    /// <summary>The node of the moment. Who learns that it is gone waits for the one after it.</summary>
    private sealed class Place(EventSourcedNode first)
    {
        private readonly TaskCompletionSource _callsMade = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource<EventSourcedNode> _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _calls;

        public EventSourcedNode Node => _next.Task.IsCompletedSuccessfully ? _next.Task.Result : first;

        public Task Next => _next.Task;

        public Task CallsMade => _callsMade.Task;

        public void Count()
        {
            if (Interlocked.Increment(ref _calls) == RestartAfter)
                _callsMade.SetResult();
        }

        public void Enter(EventSourcedNode node) => _next.SetResult(node);
    }

    private sealed class Caller(int number, int seed, Place place, CallHistory history)
    {
        private readonly Random _random = new((seed * 1000) + number);
        private readonly long[] _seen = new long[Accounts];

        public async Task Run()
        {
            for (int account = 0; account < Accounts; account++)
                await Send(Movement.Open(Name(account)) with
                {
                    CommandId = CommandId.Parse($"open-{number}-{account}"), ExpectedVersion = ExpectedVersion.New,
                }, account);
            for (int call = 0; call < CallsEach; call++)
            {
                int account = _random.Next(Accounts);
                if (_random.Next(4) == 0)
                    await Read(account);
                else
                    await Send(Next(account, $"{number}-{call}"), account);
                place.Count();
            }
        }

        private CommandEnvelope Next(int account, string id)
        {
            CommandEnvelope command = _random.Next(3) == 0
                ? Movement.Debit(Name(account), _random.Next(1, 200), id)
                : Movement.Credit(Name(account), _random.Next(1, 100), id);
            return _random.Next(3) == 0 ? command with { ExpectedVersion = ExpectedVersion.Exactly(_seen[account]) } : command;
        }

        // An outcome that is not known is asked for again, at any door, until it is; some commands are sent twice at once on purpose.
        private async Task Send(CommandEnvelope command, int account)
        {
            command = command with { Time = TimeProvider.System.GetUtcNow() };
            while (true)
            {
                EventSourcedNode node = place.Node;
                Task<CommandResult?> once = Try(node, command);
                Task<CommandResult?> twice = _random.Next(5) == 0 ? Try(node, command) : Task.FromResult<CommandResult?>(null);
                if ((await once ?? await twice) is { } result)
                {
                    await twice;
                    _seen[account] = result.Version;
                    return;
                }
            }
        }

        private async Task<CommandResult?> Try(EventSourcedNode node, CommandEnvelope command)
        {
            ICommandClient door = _random.Next(2) == 0
                ? history.Record(node, $"caller {number}, direct")
                : history.Record(node.Aggregates[0].CommandTopic, $"caller {number}, topic");
            try
            {
                return await door.SendAsync(command, Cancellation);
            }
            catch (TimeoutException)
            {
                return null;
            }
            catch (ObjectDisposedException)
            {
                await place.Next.WaitAsync(Cancellation);
                return null;
            }
        }

        private async Task Read(int account)
        {
            EventSourcedNode node = place.Node;
            try
            {
                AggregateView? view = await history.Record(node.Aggregates[0].Processor, $"caller {number}, read").ReadAsync(
                    AggregateId.Parse(Name(account)), Cancellation);
                _seen[account] = view?.Version ?? 0;
            }
            catch (AggregateUnavailableException)
            {
                // It is recorded as unknown; a read that was not answered shows nothing.
            }
        }

        private static string Name(int account) => $"hot-{account}";
    }
}
