namespace KafkaEventSourcing.Testing.Tests;

public sealed class CallHistoryTests
{
    private static readonly CommandEnvelope Command = new(HistoryBuilder.Id, CommandId.Parse("a"), new Tally.Add(1));

    [Fact]
    public async Task Answers_time_outs_and_refusals_are_recorded_and_handed_on()
    {
        var history = new CallHistory(TimeProvider.System);
        var answer = new CommandResult.Accepted(Command.CommandId, Command.AggregateId, 1, new ConsistencyToken(0, 0));
        (await history.Record(new Door(_ => Task.FromResult<CommandResult>(answer)), "one").SendAsync(Command,
            TestContext.Current.CancellationToken)).ShouldBe(answer);
        await Should.ThrowAsync<TimeoutException>(() =>
            history.Record(new Door(_ => throw new TimeoutException()), "two").SendAsync(Command, TestContext.Current.CancellationToken));
        await Should.ThrowAsync<OverloadedException>(() =>
            history.Record(new Door(_ => throw new OverloadedException("full")), "three").SendAsync(Command,
                TestContext.Current.CancellationToken));
        var open = new TaskCompletionSource<CommandResult>();
        Task<CommandResult> waiting = history.Record(new Door(_ => open.Task), "four").SendAsync(Command,
            TestContext.Current.CancellationToken);

        IReadOnlyList<RecordedCall> calls = history.Take();
        calls.Select(c => c.Caller).ShouldBe(["one", "two", "three", "four"]);
        calls[0].Answer.ShouldBeOfType<CallAnswer.Told>().Result.ShouldBe(answer);
        calls[1].Answer.ShouldBeOfType<CallAnswer.Unknown>().Reason.ShouldBe(nameof(TimeoutException));
        calls[2].Answer.ShouldBeOfType<CallAnswer.NotTaken>();
        calls[3].Answer.ShouldBeNull();
        calls.ShouldAllBe(c => c.Answer == null || c.Answer.Ended >= c.Started);
        open.SetResult(answer);
        await waiting;
        history.Take()[3].Answer.ShouldBeOfType<CallAnswer.Told>();
    }

    [Fact]
    public async Task Command_without_a_time_gets_one_and_the_door_sees_the_same()
    {
        var history = new CallHistory(TimeProvider.System);
        CommandEnvelope? seen = null;
        var door = new Door(command =>
        {
            seen = command;
            return Task.FromResult<CommandResult>(new CommandResult.Faulted(command.CommandId, command.AggregateId, 0, "no", "no"));
        });
        await history.Record(door, "one").SendAsync(Command, TestContext.Current.CancellationToken);
        seen!.Time.ShouldNotBeNull();
        history.Take()[0].Command.ShouldBeSameAs(seen);
    }

    private sealed class Door(Func<CommandEnvelope, Task<CommandResult>> answer) : ICommandClient
    {
        public async Task<CommandResult> SendAsync(CommandEnvelope command, CancellationToken cancellationToken) => await answer(command);
    }
}
