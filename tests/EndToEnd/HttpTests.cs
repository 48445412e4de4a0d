using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>The HTTP interface of <c>bank run</c>, from outside.</summary>
public sealed partial class HttpTests(HttpTests.RunningBank bank) : IClassFixture<HttpTests.RunningBank>
{
    private static int s_accounts;

    private readonly string _account = $"h{Interlocked.Increment(ref s_accounts)}";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private HttpClient Http => bank.Http;

    [Fact]
    public async Task Command_sent_twice_under_one_key_has_one_effect()
    {
        await Open();
        HttpResponseMessage first = await Credit(50, key: "once");
        HttpResponseMessage second = await Credit(50, key: "once");
        JsonObject one = await Json(first);
        JsonObject two = await Json(second);
        one["version"]!.GetValue<long>().ShouldBe(2);
        one["duplicate"]!.GetValue<bool>().ShouldBeFalse();
        two["duplicate"]!.GetValue<bool>().ShouldBeTrue();
        two["token"]!.GetValue<string>().ShouldBe(one["token"]!.GetValue<string>());
        JsonObject account = await Json(await Http.GetAsync($"/account/{_account}", Cancellation));
        account["version"]!.GetValue<long>().ShouldBe(2);
        account["state"]!["balance"]!.GetValue<long>().ShouldBe(50);
    }

    [Fact]
    public async Task Read_model_with_the_token_of_a_write_has_it()
    {
        await Open();
        for (int i = 1; i <= 20; i++)
        {
            string token = (await Credit(1)).Headers.GetValues("X-Consistency-Token").Single();
            JsonObject account = await Json(await Http.GetAsync($"/models/accounts/{_account}?token={Uri.EscapeDataString(token)}", Cancellation));
            account["balance"]!.GetValue<long>().ShouldBe(i);
        }
    }

    [Fact]
    public async Task Pages_of_a_read_model_are_complete_and_in_order()
    {
        await Open();
        string token = "";
        for (int i = 0; i < 25; i++)
            token = (await Credit(1 + i)).Headers.GetValues("X-Consistency-Token").Single();

        var versions = new List<string>();
        string? next = null;
        do
        {
            string after = next is null ? "" : $"&after={Uri.EscapeDataString(next)}";
            JsonObject page = await Json(await Http.GetAsync($"/models/movements?accountId={_account}&limit=10&token={Uri.EscapeDataString(token)}{after}", Cancellation));
            versions.AddRange(page["documents"]!.AsArray().Select(i => i!["_id"]!.GetValue<string>()));
            next = page["next"]?.GetValue<string>();
        }
        while (next is not null);

        versions.ShouldBe(Enumerable.Range(2, 25).Select(v => $"{_account}/{v:D10}"));
    }

    [Fact]
    public async Task Debit_beyond_the_limit_is_422_with_the_numbers()
    {
        await Open();
        JsonObject problem = await Problem(await Post("debit", Movement(5)), HttpStatusCode.UnprocessableEntity, "insufficient-funds");
        problem["details"]!["available"]!.GetValue<string>().ShouldBe("0");
        problem["details"]!["amount"]!.GetValue<string>().ShouldBe("5");
    }

    [Fact]
    public async Task Command_for_a_closed_account_is_422()
    {
        await Open();
        (await Post("close-account", new JsonObject())).StatusCode.ShouldBe(HttpStatusCode.OK);
        await Problem(await Credit(5), HttpStatusCode.UnprocessableEntity, "account-closed");
    }

    [Fact]
    public async Task Expected_version_that_does_not_hold_is_409_with_the_current_one()
    {
        await Open();
        await Credit(5);
        JsonObject problem = await Problem(await Post("credit", Movement(5), ("Expected-Version", "1")), HttpStatusCode.Conflict, "version-conflict");
        problem["version"]!.GetValue<long>().ShouldBe(2);
        problem["expected"]!.GetValue<string>().ShouldBe("1");
    }

    [Theory]
    [InlineData("""{"amount":"five"}""", "$.amount")]
    [InlineData("""{"amount":5,"colour":"red"}""", "$.colour")]
    [InlineData("""{"amount":5""", "$")]
    [InlineData("null", "$")]
    public async Task Malformed_body_is_400_and_names_the_field(string body, string field)
    {
        HttpResponseMessage answer = await Http.PostAsync($"/account/{_account}/credit", new StringContent(body, Encoding.UTF8, "application/json"), Cancellation);
        JsonObject problem = await Problem(answer, HttpStatusCode.BadRequest, "invalid-input");
        problem["field"]!.GetValue<string>().ShouldStartWith(field);
    }

    [Fact]
    public async Task Body_that_is_not_json_is_415()
    {
        HttpResponseMessage answer = await Http.PostAsync($"/account/{_account}/credit", new StringContent("amount=5"), Cancellation);
        answer.StatusCode.ShouldBe(HttpStatusCode.UnsupportedMediaType);
    }

    [Fact]
    public async Task Body_of_10_MB_is_413_and_the_process_lives_on()
    {
        using var content = new ByteArrayContent(new byte[10 * 1024 * 1024]);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/account/{_account}/credit") { Content = content };
        request.Headers.ExpectContinue = true;
        (await Http.SendAsync(request, Cancellation)).StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        await Open();
    }

    [Fact]
    public async Task Over_long_id_is_400_and_says_how_long_it_may_be()
    {
        HttpResponseMessage answer = await Http.PostAsJsonAsync($"/account/{new string('x', 300)}/credit", Movement(5), Cancellation);
        (await Problem(answer, HttpStatusCode.BadRequest, "invalid-input"))["detail"]!.GetValue<string>().ShouldContain("256");
    }

    [Theory]
    [InlineData("Expected-Version", "soon")]
    [InlineData("Idempotency-Key", "")]
    [InlineData("If-Match", "\"1\"")]
    public async Task Unusable_header_is_400(string name, string value) =>
        await Problem(await Post("credit", Movement(5), (name, value)), HttpStatusCode.BadRequest, "invalid-input");

    [Fact]
    public async Task Command_with_a_query_parameter_is_400_and_names_it() =>
        (await Problem(await Http.PostAsJsonAsync($"/account/{_account}/credit?dryRun=true", Movement(5), Cancellation), HttpStatusCode.BadRequest, "invalid-input"))["field"]!.GetValue<string>().ShouldBe("dryRun");

    [Theory]
    [InlineData("/account/nobody", HttpStatusCode.NotFound)]
    [InlineData("/models/accounts/nobody", HttpStatusCode.NotFound)]
    [InlineData("/models/no-such-model", HttpStatusCode.NotFound)]
    [InlineData("/models/accounts?limit=0", HttpStatusCode.BadRequest)]
    [InlineData("/models/accounts?limit=many", HttpStatusCode.BadRequest)]
    [InlineData("/models/accounts?token=later", HttpStatusCode.BadRequest)]
    [InlineData("/models/movements?amount=5", HttpStatusCode.BadRequest)]
    [InlineData("/health/live", HttpStatusCode.OK)]
    [InlineData("/health/ready", HttpStatusCode.OK)]
    [InlineData("/docs", HttpStatusCode.OK)]
    public async Task Get_answers_with_the_right_status(string path, HttpStatusCode status) =>
        (await Http.GetAsync(path, Cancellation)).StatusCode.ShouldBe(status);

    [Fact]
    public async Task Metrics_count_commands_and_openapi_names_them()
    {
        await Open();
        string metrics = await Http.GetStringAsync("/metrics", Cancellation);
        CommandsMetric().IsMatch(metrics).ShouldBeTrue(string.Join(" ", metrics.Split((char)10).Where(l => l.Contains("kes", StringComparison.Ordinal))));
        JsonObject openApi = (await Http.GetFromJsonAsync<JsonObject>("/openapi.json", Cancellation))!;
        openApi["paths"]!.AsObject().Select(p => p.Key).ShouldContain("/account/{id}/set-overdraft-limit");
    }

    private static JsonObject Movement(long amount) => new()
    {
        ["amount"] = amount, ["currency"] = "EUR", ["bookedOn"] = "2026-03-01", ["operation"] = "CashDeposit", ["category"] = "None",
    };

    private static async Task<JsonObject> Json(HttpResponseMessage answer) =>
        JsonNode.Parse(await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync(Cancellation))!.AsObject();

    private static async Task<JsonObject> Problem(HttpResponseMessage answer, HttpStatusCode status, string code)
    {
        string body = await answer.Content.ReadAsStringAsync(Cancellation);
        answer.StatusCode.ShouldBe(status, body);
        JsonObject problem = JsonNode.Parse(body)!.AsObject();
        problem["code"]!.GetValue<string>().ShouldBe(code);
        return problem;
    }

    private async Task Open() =>
        (await Post("open-account", new JsonObject { ["owner"] = "Ada", ["currency"] = "EUR", ["overdraftLimit"] = 0, ["openedOn"] = "2026-01-31" })).EnsureSuccessStatusCode();

    private Task<HttpResponseMessage> Credit(long amount, string? key = null) => Post("credit", Movement(amount), key is null ? [] : [("Idempotency-Key", key)]);

    private async Task<HttpResponseMessage> Post(string command, JsonObject body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/account/{_account}/{command}") { Content = JsonContent.Create(body) };
        foreach ((string name, string value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return await Http.SendAsync(request, Cancellation);
    }

    [GeneratedRegex(@"(?m)^\S*kes_commands\S* [1-9]")]
    private static partial Regex CommandsMetric();

    /// <summary>One bank for all tests of the class; each uses an account of its own.</summary>
    public sealed partial class RunningBank : IAsyncLifetime
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("kes-http-").FullName;
        private ProgramRun? _program;

        public HttpClient Http { get; } = new();

        public async ValueTask InitializeAsync()
        {
            _program = ProgramRun.Start("dotnet", [Programs.Bank, "run", "--http-port", "0", "--data", _folder]);
            Http.BaseAddress = new Uri((await _program.WaitForLine(ServesAt(), CancellationToken.None)).Groups[1].Value);
        }

        public async ValueTask DisposeAsync()
        {
            Http.Dispose();
            await _program!.DisposeAsync();
            Directory.Delete(_folder, recursive: true);
        }

        [GeneratedRegex(@"serves at (http://\S+)")]
        private static partial Regex ServesAt();
    }
}
