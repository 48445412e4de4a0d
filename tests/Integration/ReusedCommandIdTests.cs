using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Banking.Domain;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>One command id for two commands: it was answered with the outcome of the first, and the second was dropped.</summary>
public sealed class ReusedCommandIdTests(BankFixture bank)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Idempotency_key_with_another_body_command_or_expected_version_is_422_and_says_what_differs()
    {
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(BankFixture.NewBank(), null, Cancellation);
        await using WebApplication web = HttpInterface.Create(node, new HttpOptions { Port = 0 }, NullLoggerFactory.Instance,
            TimeProvider.System);
        await web.StartAsync(Cancellation);
        using var http = new HttpClient { BaseAddress = new Uri(web.Urls.First()) };
        await node.SendAsync(Movement.Open("a"), Cancellation);
        await node.SendAsync(Movement.Open("b"), Cancellation);

        (HttpStatusCode status, JsonElement first) = await Post(http, "a", "credit", Body(5), null);
        (status, first.GetProperty("version").GetInt64()).ShouldBe((HttpStatusCode.OK, 2));
        // fields in another order are the same body
        (status, JsonElement again) = await Post(http, "a", "credit", Body(5).Reverse().ToDictionary(), null);
        (status, again.GetProperty("duplicate").GetBoolean(), again.GetProperty("version").GetInt64()).ShouldBe(
            (HttpStatusCode.OK, true, 2));

        foreach ((string command, Dictionary<string, object> body, string? expected,
            string differs) in ((string, Dictionary<string, object>, string?, string)[])
            [("credit", Body(6), null, "body"), ("debit", Body(5), null, "type"), ("credit", Body(5), "2", "expected version"),
                ("credit", Body(6), "2", "body, expected version")])
        {
            (status, JsonElement problem) = await Post(http, "a", command, body, expected);
            (status, problem.GetProperty("code").GetString()).ShouldBe((HttpStatusCode.UnprocessableEntity, "command-id-reused"),
                $"{command} {problem}");
            problem.GetProperty("details").GetProperty("differs").GetString().ShouldBe(differs);
            problem.GetProperty("detail").GetString()!.ShouldContain(differs);
        }

        // Ids are of an aggregate: at another one it is another command.
        (status, JsonElement other) = await Post(http, "b", "credit", Body(6), null);
        (status, other.GetProperty("duplicate").GetBoolean()).ShouldBe((HttpStatusCode.OK, false));
        (await node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("a"), Cancellation))!.Version.ShouldBe(2);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Reused_id_is_told_at_both_doors_also_after_a_restore_from_events_alone(bool restored)
    {
        ApplicationDefinition application = BankFixture.NewBank();
        string data = Path.Combine(bank.Servers.Folder, application.Name);
        EventSourcedNode node = await bank.Servers.StartNodeAsync(application, data, Cancellation);
        try
        {
            await node.SendAsync(Movement.Open("a"), Cancellation);
            (await node.SendAsync(Movement.Credit("a", 5, "direct"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            (await node.Aggregates[0].CommandTopic
                .SendAsync(Movement.Credit("a", 5, "topic"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            if (restored)
            {
                await node.DisposeAsync();
                Directory.Delete(data, recursive: true);
                node = await bank.Servers.StartNodeAsync(application, data, Cancellation);
            }

            foreach (ICommandClient door in (ICommandClient[])[node, node.Aggregates[0].CommandTopic])
            {
                foreach (string id in (string[])["direct", "topic"])
                {
                    (await door.SendAsync(Movement.Credit("a", 5, id), Cancellation)).ShouldBeOfType<CommandResult.Accepted>().IsDuplicate
                        .ShouldBeTrue(id);
                    CommandResult.Rejected reused =
                        (await door.SendAsync(Movement.Credit("a", 6, id), Cancellation)).ShouldBeOfType<CommandResult.Rejected>();
                    (reused.Rejection.Code, reused.Rejection.Details["differs"], reused.Version).ShouldBe(
                        (Rejection.CommandIdReused, "body", 3));
                    (await door.SendAsync(Movement.Debit("a", 5, id),
                        Cancellation)).ShouldBeOfType<CommandResult.Rejected>().Rejection.Details["differs"].ShouldBe("type");
                }
            }
        }
        finally
        {
            await node.DisposeAsync();
        }
    }

    // The client gave both the answer of the one that was on its way.
    [Fact]
    public async Task Two_commands_under_one_id_at_the_same_time_have_an_answer_each()
    {
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(BankFixture.NewBank(), null, Cancellation);
        await node.SendAsync(Movement.Open("a"), Cancellation);
        CommandResult[] results = await Task.WhenAll(new[]
        {
            5, 6, 5,
        }.Select(amount => node.Aggregates[0].CommandTopic.SendAsync(Movement.Credit("a", amount, "same"), Cancellation)));
        results[0].ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(2);
        results[1].ShouldBeOfType<CommandResult.Rejected>().Rejection.Code.ShouldBe(Rejection.CommandIdReused);
        results[2].ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(2);
    }

    // It was answered 200, written as a symbol that the schema does not have, and nobody could read the event again.
    [Theory]
    [InlineData("CardWithdrawal,TransferOut")]
    [InlineData("CashDeposit, CashDeposit")]
    [InlineData("99")]
    [InlineData(3)]
    public async Task Enum_of_a_body_that_is_not_one_name_is_400_and_appends_nothing(object operation)
    {
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(BankFixture.NewBank(), null, Cancellation);
        await using WebApplication web = HttpInterface.Create(node, new HttpOptions { Port = 0 }, NullLoggerFactory.Instance,
            TimeProvider.System);
        await web.StartAsync(Cancellation);
        using var http = new HttpClient { BaseAddress = new Uri(web.Urls.First()) };
        await node.SendAsync(Movement.Open("a"), Cancellation);
        Dictionary<string, object> body = Body(5);
        body["operation"] = operation;
        (HttpStatusCode status, JsonElement problem) = await Post(http, "a", "credit", body, null);
        (status, problem.GetProperty("field").GetString()).ShouldBe((HttpStatusCode.BadRequest, "$.operation"));
        (await node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("a"), Cancellation))!.Version.ShouldBe(1);
        string document = await http.GetStringAsync(new Uri("/openapi.json", UriKind.Relative), Cancellation);
        document.ShouldContain("\"CardWithdrawal\""); // the names that there are
    }

    private static Dictionary<string, object> Body(long amount) =>
        new()
        {
            ["amount"] = amount,
            ["currency"] = "EUR",
            ["bookedOn"] = "2026-01-01",
            ["operation"] = "CashDeposit",
            ["category"] = "None",
        };

    private static async Task<(HttpStatusCode, JsonElement)> Post(
        HttpClient http, string account, string command, Dictionary<string, object> body, string? expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/account/{account}/{command}") { Content = JsonContent.Create(body) };
        request.Headers.Add("Idempotency-Key", "order-4711");
        if (expected is not null)
            request.Headers.Add("Expected-Version", expected);
        using HttpResponseMessage answer = await http.SendAsync(request, Cancellation);
        return (answer.StatusCode, await answer.Content.ReadFromJsonAsync<JsonElement>(Cancellation));
    }
}
